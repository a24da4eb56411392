"""The library inside the trading process: it runs the approved model, reads flags and refuses bad orders.

No server dependency, a fast start: what a name needs is imported when the name is first used.

>>> desk = signoff.desk.open("momentum", control=url, token=token, keys=keys, artifacts=models, journal=folder)
>>> signal = desk.predict("AAPL", features, at=now)
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from signoff.desk.fallbacks import Fallback, Output, Signal
    from signoff.desk.opening import Desk, open  # noqa: A004 - as in `signoff.desk.open`
    from signoff.desk.orders import Fill

__all__ = ["Desk", "Fallback", "Fill", "Output", "Signal", "open"]
_PLACES: Final = {
    "Desk": "opening",
    "Fallback": "fallbacks",
    "Fill": "orders",
    "Output": "fallbacks",
    "Signal": "fallbacks",
    "open": "opening",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - see above

    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
