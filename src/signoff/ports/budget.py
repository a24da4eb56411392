"""Time limits for calls to a service outside."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The seconds that one service may take: to connect, to send its next bytes, and for a whole call."""

    connect_s: float = 3.0
    read_s: float = 10.0
    total_s: float = 20.0


USUAL: Final = Budget()
