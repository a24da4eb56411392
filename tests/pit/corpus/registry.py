"""Pipelines as people write them: leaky ones, each with what must be found, and clean ones, where nothing may be.

A pipeline is one function. Under `@leaky` or `@clean` with `inputs`, it is a feature function and is replayed on every
date; without, it returns a report of its own. What must be found is worked out beside it, in numpy, by another route.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from signoff.pit import PitReport, check

EVERY_DATE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    feature: str
    kind: str
    first: date | datetime
    size: float


LEAKY: dict[str, tuple[Callable[[], PitReport], Callable[[], Leak]]] = {}
CLEAN: dict[str, Callable[[], PitReport]] = {}


def leaky(expected, inputs=None):
    """Register a leaky pipeline with a function that says what must be found."""

    def register(pipeline):
        LEAKY[pipeline.__name__] = (_reported(pipeline, inputs), expected)
        return pipeline

    return register


def clean(inputs=None, from_times=()):
    """Register a clean pipeline, with those of its features that are declared to come from times and symbols."""

    def register(pipeline):
        CLEAN[pipeline.__name__] = _reported(pipeline, inputs, from_times)
        return pipeline

    return register


def _reported(pipeline, inputs, from_times=()):
    if inputs is None:
        return pipeline
    return lambda: check(pipeline, inputs(), sample=EVERY_DATE, from_times=from_times)
