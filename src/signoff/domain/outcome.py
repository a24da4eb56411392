"""The outcomes of a gate."""

from enum import StrEnum


class Outcome(StrEnum):
    """Only PASS is good. A gate without enough data is INCONCLUSIVE; a gate that broke is ERROR; both block."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
