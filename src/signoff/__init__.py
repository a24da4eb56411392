"""Signoff takes a trading model from candidate to trusted in production, and back out when it misbehaves.

`signoff.evaluate(returns, trials=…)` gives a `signoff.Verdict` on returns, without a dossier.
"""

from importlib import import_module

__version__ = "0.1.0"
__all__ = ["BadInputError", "SignoffError", "Verdict", "evaluate"]
# What is public, by the module that has it. It loads once it is asked for: the desk and a verifier import this package.
_PUBLIC = {
    "BadInputError": "signoff.domain.errors",
    "SignoffError": "signoff.domain.errors",
    "Verdict": "signoff.verdict.result",
    "evaluate": "signoff.verdict.evaluation",
}


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'signoff' has no attribute {name!r}")
    found: object = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
