"""The research behind both versions: every configuration walked forward, kept in a cache, and the rule that chose.

The rule is what researchers do: of the configurations on the new features, deploy the one whose walk-forward Sharpe
ratio is highest. PBO and the deflated Sharpe ratio exist to measure what that rule is worth.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from momentum import data, features
from momentum.models import PREVIOUS, TRIED, Configuration, Floats
from momentum.walkforward import Panel, Track, out_of_sample, panel, track

Progress = Callable[[str, int, int], None]
CODE: Final = ("data.py", "features.py", "models.py", "walkforward.py")
LAST_DAY: Final = np.datetime64("2018-12-31")


@dataclass(frozen=True)
class Research:
    """Prices, features and every configuration's track; what takes long is kept under `cache`."""

    cache: Path
    progress: Progress

    @cached_property
    def inputs(self) -> dict[str, pl.DataFrame]:
        return data.inputs()

    @cached_property
    def panel(self) -> Panel:
        self.progress("computing features", 0, 1)
        return panel(features.compute(self.inputs), self.inputs["prices"], self.inputs["index"])

    @cached_property
    def tracks(self) -> dict[str, Track]:
        """Every configuration's days to the end of 2018, the previous version's first."""
        every = (PREVIOUS, *TRIED)
        found = {}
        for done, configuration in enumerate(every):
            self.progress(f"walking forward {configuration.name}", done, len(every))
            found[configuration.name] = track(self.panel, configuration, self.scores(configuration))
        self.progress("every configuration walked forward", len(every), len(every))
        return found

    @cached_property
    def chosen(self) -> Configuration:
        """The configuration of version 2.0.0."""
        on_new_features = [c for c in TRIED if c.feature_set == "v2"]
        return max(on_new_features, key=lambda c: sharpe(self.tracks[c.name].returns))

    def scores(self, configuration: Configuration) -> Floats:
        """Out-of-sample scores, computed once: a file is complete or absent, so an interrupted run continues."""
        path = self.cache / f"{configuration.model_name}-{self.key[:16]}.npy"
        if path.exists():
            return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)
        scores = out_of_sample(self.panel, configuration)
        self.cache.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part.npy")
        with temporary.open("wb") as file:
            np.save(file, scores, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        return scores

    @cached_property
    def key(self) -> str:
        """Names what was computed from which code, prices and library; anything kept under another name is stale."""
        here = Path(__file__).parent
        code = b"".join((here / name).read_bytes() for name in CODE)
        prices = self.inputs["prices"]["close"].to_numpy().tobytes()
        return hashlib.sha256(code + prices + metadata.version("lightgbm").encode()).hexdigest()


def sharpe(returns: Floats) -> float:
    """Annualised, by 252 sessions."""
    return float(np.mean(returns) / np.std(returns, ddof=1) * np.sqrt(252))
