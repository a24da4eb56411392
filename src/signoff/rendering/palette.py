"""The colours and words of everything Signoff shows; one set for paper, page, picture and terminal."""

from typing import Final

INK: Final = "#1f4e79"
TEXT: Final = "#1d2026"
MUTED: Final = "#6b7079"
RULE: Final = "#d8d4ca"
TINT: Final = "#f4f1ea"
GREY: Final = "#8d9199"
GOOD: Final = "#1b6e4b"
CAUTION: Final = "#9a6200"
BAD: Final = "#a3262a"
BAND: Final = "#f0dcd6"

TONE: Final = {"good": GOOD, "caution": CAUTION, "bad": BAD}
TONE_TINT: Final = {"good": "#e3f0e9", "caution": "#faf3e4", "bad": "#f7e3e3"}


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours as WCAG 2 defines it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
