"""The example's study made small: eight years of prices, two predicted years, two small models, five configurations.

`shrink` takes the setter, so that a test passes its monkeypatch and a process of its own passes `setattr`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from momentum import data, evidence, models, registry, research, walkforward

FIRST, END = datetime(2011, 1, 1, tzinfo=UTC), datetime(2019, 7, 1, tzinfo=UTC)
PREDICTED_FROM = 2017
TRIED = tuple(c for c in models.TRIED if c.feature_set == "v2" and c.training_years == 5 and c.leaves == 7)
EVERY = (models.PREVIOUS, *TRIED)
MODELS = len({c.model_name for c in EVERY})


def inputs() -> dict[str, pl.DataFrame]:
    known = {"prices": data.prices(), "index": data.index()}
    return {name: table.filter(pl.col("timestamp").is_between(FIRST, END)) for name, table in known.items()}


PARAMETERS = models.Configuration.hyperparameters.fget


def on_one_thread(configuration: models.Configuration) -> dict[str, Any]:
    """Two threads on a busy machine wait for each other; their number changes no result."""
    return PARAMETERS(configuration) | {"num_threads": 1}


def shrink(set_attribute: Callable[[Any, str, object], None]) -> None:
    set_attribute(data, "inputs", inputs)
    set_attribute(models.Configuration, "rounds", 10)
    set_attribute(models.Configuration, "hyperparameters", property(on_one_thread))
    for module in (walkforward, evidence):
        set_attribute(module, "FIRST_YEAR", PREDICTED_FROM)
    for module in (research, evidence, registry):
        set_attribute(module, "TRIED", TRIED)


def silent(_step: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def study(cache: Path) -> research.Research:
    return research.Research(cache=cache, progress=silent)
