"""The two kinds of model, and the configurations that were tried.

Both are grown by LightGBM: `forest` in its random-forest mode, `boosting` in its gradient-boosting mode. A model is
saved as LightGBM's text file, so loading one never runs foreign code.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any, Final

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from momentum.features import FEATURES_V1, FEATURES_V2

Floats = NDArray[np.float64]
SEED: Final = 20181231


class Kind(StrEnum):
    FOREST = "random forest"
    BOOSTING = "gradient boosting"


class Book(StrEnum):
    """How predictions become weights."""

    LONG_ONLY = "long-only, volatility target"
    LONG_SHORT = "long-short, dollar neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One thing that was tried; its name says all of it."""

    kind: Kind
    feature_set: str
    training_years: int
    leaves: int
    book: Book
    holding_sessions: int

    @property
    def features(self) -> tuple[str, ...]:
        return FEATURES_V1 if self.feature_set == "v1" else FEATURES_V2

    @property
    def model_name(self) -> str:
        """Names what is fitted; configurations that differ in the book alone share it."""
        return f"{self.kind.name.lower()}-{self.feature_set}-{self.training_years}y-{self.leaves}l"

    @property
    def name(self) -> str:
        book = "lo" if self.book is Book.LONG_ONLY else "ls"
        return f"{self.model_name}-{book}-{self.holding_sessions}d"

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """LightGBM's parameters; one thread, since two stall each other on a busy machine."""
        shared = {
            "objective": "regression",
            "num_leaves": self.leaves,
            "min_data_in_leaf": 100,
            "feature_fraction": 0.5,
            "seed": SEED,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        if self.kind is Kind.FOREST:
            return shared | {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}
        return shared | {"boosting": "gbdt", "learning_rate": 0.03, "bagging_freq": 1, "bagging_fraction": 0.7}

    @property
    def rounds(self) -> int:
        return 100


PREVIOUS: Final = Configuration(
    kind=Kind.FOREST, feature_set="v1", training_years=5, leaves=31, book=Book.LONG_ONLY, holding_sessions=5
)

TRIED: Final = tuple(
    Configuration(
        kind=Kind.BOOSTING,
        feature_set=feature_set,
        training_years=years,
        leaves=leaves,
        book=book,
        holding_sessions=holding,
    )
    for feature_set, years, leaves, book, holding in product(
        ("v1", "v2"), (5, 10), (7, 15), (Book.LONG_ONLY, Book.LONG_SHORT), (5, 21)
    )
)


def fit(configuration: Configuration, features: Floats, target: Floats) -> lgb.Booster:
    """Grow one model; NaN features are missing values to it."""
    names = list(configuration.features)
    data = lgb.Dataset(features, label=target, feature_name=names, free_raw_data=True)
    return lgb.train(configuration.hyperparameters, data, num_boost_round=configuration.rounds)


def predict(model: lgb.Booster, features: Floats) -> Floats:
    """Scores: the expected return over the label's horizon in excess of the twenty stocks' mean."""
    return np.asarray(model.predict(features, num_threads=1), dtype=np.float64)
