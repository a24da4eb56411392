"""The model's own tests, in four suites, run without any test framework to install; reports are JUnit XML.

`run(folder)` writes `unit.xml`, `integration.xml`, `pit.xml` and `performance.xml`, from what really ran.
"""

import tempfile
import time
import unittest
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl

from momentum import data, features
from momentum.models import PREVIOUS, TRIED, Book, fit, predict
from momentum.registry import load
from momentum.walkforward import EMBARGO, HORIZON, Panel, panel, track, training_rows, weights

LATENCY_SLA_MS: Final = 100.0


@cache
def recent() -> dict[str, pl.DataFrame]:
    """Prices of five years, enough for every feature."""
    since = datetime(2013, 1, 1, tzinfo=UTC)
    return {name: table.filter(pl.col("timestamp") >= since) for name, table in data.inputs().items()}


@cache
def recent_panel() -> Panel:
    return panel(features.compute(recent()), recent()["prices"], recent()["index"])


class Unit(unittest.TestCase):
    def test_training_ends_a_horizon_and_an_embargo_before_the_first_predicted_day(self) -> None:
        before = date(2018, 1, 1)
        rows = training_rows(recent_panel(), PREVIOUS, before)
        first_test = int(np.searchsorted(recent_panel().dates, np.datetime64(before)))
        self.assertLess(rows[-1] + HORIZON + EMBARGO, first_test + 1)

    def test_long_only_weights_are_never_negative_nor_above_one_in_all(self) -> None:
        past = recent_panel().returns[-63:]
        found = weights(Book.LONG_ONLY, np.arange(20.0), past)
        self.assertTrue((found >= 0).all())
        self.assertLessEqual(found.sum(), 1.0 + 1e-12)

    def test_long_short_weights_are_dollar_neutral(self) -> None:
        found = weights(Book.LONG_SHORT, np.arange(20.0), recent_panel().returns[-63:])
        self.assertAlmostEqual(float(found.sum()), 0.0)

    def test_costs_are_charged_on_turnover(self) -> None:
        scores = np.where(np.isnan(recent_panel().label), 0.0, recent_panel().label)
        lived = track(recent_panel(), TRIED[0], scores)
        np.testing.assert_allclose(lived.cost, lived.turnover * 5.0 / 10_000)

    def test_there_are_fifty_features_in_version_one_and_seventy_five_in_version_two(self) -> None:
        self.assertEqual((len(features.FEATURES_V1), len(features.FEATURES_V2)), (50, 75))


class Integration(unittest.TestCase):
    def test_a_model_that_is_saved_and_loaded_predicts_the_same(self) -> None:
        rows = training_rows(recent_panel(), PREVIOUS, date(2018, 1, 1))
        columns = recent_panel().columns(PREVIOUS.features)
        x = recent_panel().features[rows][:, :, columns].reshape(-1, len(columns))
        model = fit(PREVIOUS, x, recent_panel().label[rows].reshape(-1))
        with tempfile.TemporaryDirectory() as folder:
            model.save_model(Path(folder) / "model.txt")
            frame = pl.DataFrame(x[:50], schema=list(PREVIOUS.features))
            again = load(Path(folder))(frame)
        np.testing.assert_array_equal(again, predict(model, x[:50]))

    def test_every_symbol_has_a_price_on_every_session(self) -> None:
        counted = recent()["prices"].group_by("timestamp").len()
        self.assertEqual(counted["len"].unique().to_list(), [20])


class Pit(unittest.TestCase):
    def test_features_do_not_move_when_the_future_is_removed(self) -> None:
        full = features.compute(recent())
        stamps = full["timestamp"].unique().sort()
        for stamp in (stamps[700], stamps[900], stamps[1200]):
            past = {name: table.filter(pl.col("timestamp") <= stamp) for name, table in recent().items()}
            then = features.compute(past).filter(pl.col("timestamp") == stamp)
            self.assertTrue(then.equals(full.filter(pl.col("timestamp") == stamp), null_equal=True))

    def test_a_label_is_known_only_after_its_horizon(self) -> None:
        closes, label = recent_panel().closes, recent_panel().label
        ahead = closes[HORIZON:] / closes[:-HORIZON] - 1.0
        np.testing.assert_allclose(label[:-HORIZON], ahead - ahead.mean(axis=1, keepdims=True))
        self.assertTrue(np.isnan(label[-HORIZON:]).all())


class Performance(unittest.TestCase):
    def test_features_of_ten_years_take_less_than_ten_seconds(self) -> None:
        began = time.perf_counter()
        features.compute(recent())
        self.assertLess(timedelta(seconds=time.perf_counter() - began), timedelta(seconds=10))


SUITES: Final = {"unit": Unit, "integration": Integration, "pit": Pit, "performance": Performance}


class _Report(unittest.TestResult):
    """Keeps every test's verdict and duration."""

    def __init__(self) -> None:
        super().__init__()
        self.cases: list[ET.Element] = []
        self._began = 0.0

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        super().startTest(test)
        self._began = time.perf_counter()

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        super().stopTest(test)
        seconds = time.perf_counter() - self._began
        name = test.id().rpartition(".")[2]
        case = ET.Element("testcase", classname=type(test).__name__, name=name, time=f"{seconds:.3f}")
        for kind, found in (("failure", self.failures), ("error", self.errors)):
            for failed, text in found:
                if failed is test:
                    ET.SubElement(case, kind, message=text.strip().rpartition("\n")[2]).text = text
        self.cases.append(case)


def run(folder: Path) -> dict[str, tuple[int, int]]:
    """Run all suites and write their reports; (passed, total) by suite."""
    folder.mkdir(parents=True, exist_ok=True)
    counted = {}
    for name, suite in SUITES.items():
        report = _Report()
        unittest.defaultTestLoader.loadTestsFromTestCase(suite).run(report)
        failed = len(report.failures) + len(report.errors)
        root = ET.Element(
            "testsuite",
            name=name,
            tests=str(report.testsRun),
            failures=str(len(report.failures)),
            errors=str(len(report.errors)),
            skipped=str(len(report.skipped)),
        )
        root.extend(report.cases)
        temporary = folder / f".{name}.part"
        ET.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)
        temporary.replace(folder / f"{name}.xml")
        counted[name] = (report.testsRun - failed, report.testsRun)
    return counted
