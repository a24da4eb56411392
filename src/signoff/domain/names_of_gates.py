"""Standard names for the two gates whose keys mean something else to a quant; both spellings are read.

SPA is Hansen's test of superior predictive ability, and DSR the deflated Sharpe ratio. The memo's template says SPA and
DSR of the accuracy of both sides and of the ratio to the downside; keys of policies and ledgers follow it.
"""

from typing import Final

NAMES: Final = {"spa": "symmetric_accuracy", "dsr": "downside_sensitivity"}
KEYS: Final = {name: key for key, name in NAMES.items()}


def name_of(key: str) -> str:
    """A gate by the name of the field."""
    return NAMES.get(key, key)


def key_of(name: str) -> str:
    """The key of a gate by either spelling."""
    return KEYS.get(name, name)


def path_by_keys(path: str) -> str:
    """A path such as `gates.symmetric_accuracy.threshold` with the gate by its key."""
    first, _, rest = path.partition(".")
    gate, dot, further = rest.partition(".")
    return f"{first}.{key_of(gate)}{dot}{further}" if first == "gates" and rest else path
