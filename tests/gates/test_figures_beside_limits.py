"""A figure and its limit never read as one number where they are two, and a verdict's first words say its outcome."""

from dataclasses import replace

import pytest

from signoff.domain.finding import Comparison
from signoff.domain.gates.metrics import metric_rows
from signoff.domain.gates.verdict import GateMeasurement, Rule, guarded
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Quantity, Unit, beside


@pytest.mark.parametrize(
    ("value", "limit", "unit", "digits", "texts"),
    [
        (0.51987, 0.52, Unit.PERCENT, None, ("51.99%", "52.00%")),
        (0.51987, 0.52, Unit.PERCENT, 1, ("51.99%", "52.00%")),
        (0.4996, 0.5, Unit.RATIO, 3, ("0.4996", "0.5000")),
        (1.4999, 1.5, Unit.RATIO, None, ("1.4999", "1.5000")),
        (149.96, 150.0, Unit.MILLISECONDS, None, ("149.96 ms", "150.00 ms")),
        (0.519, 0.52, Unit.PERCENT, None, ("51.9%", "52.0%")),
        (0.52, 0.52, Unit.PERCENT, None, ("52.0%", "52.0%")),
        (0.52 - 1e-15, 0.52, Unit.PERCENT, None, ("52.0%", "52.0%")),
        (float("inf"), 0.52, Unit.PERCENT, None, ("∞%", "52.0%")),
        (None, 0.52, Unit.PERCENT, None, ("not provided", "52.0%")),
    ],
)
def test_a_figure_has_as_many_digits_as_tell_it_from_its_limit(value, limit, unit, digits, texts):
    figure = Quantity(name="figure", value=value, unit=unit, digits=digits)

    found = beside(figure, Quantity(name="limit", value=limit, unit=unit, digits=digits))

    assert tuple(one.text for one in found) == texts


def test_a_missed_target_does_not_read_as_met(evidence, dossier):
    hit = next(row for row in metric_rows(evidence, dossier.validation.targets) if row.key == "hit_rate")
    missed = replace(dossier.validation.targets, hit_rate_pct=100 * (hit.new.value + 0.00012))

    row = next(row for row in metric_rows(evidence, missed) if row.key == "hit_rate")

    assert row.new.text.partition(" ±")[0].rstrip("%") != row.target.text.rstrip("%")


RULE = Rule(
    key="pbo",
    title="PBO",
    comparison=Comparison.BELOW,
    threshold=0.5,
    unit=Unit.PERCENT,
    digits=1,
    is_blocking=True,
    near_miss_pct=10.0,
    method="by hand",
)


def found(value, **changes):
    given = GateMeasurement(value=value, n=100, source="trials", convention="none", explanation="So it was.", **changes)
    return guarded(RULE, lambda: given)


@pytest.mark.parametrize(
    ("value", "changes", "outcome", "begins"),
    [
        (0.48, {"objections": ("Junk.",)}, Outcome.FAIL, "Fails. Junk. The statistic alone would pass: 48.0% is below"),
        (0.48, {"unsettled": ("Unknown.",)}, Outcome.INCONCLUSIVE, "Inconclusive. Unknown. The statistic alone would"),
        (0.6, {"objections": ("Junk.",)}, Outcome.FAIL, "60.0% is not below 50.0%. Junk."),
        (0.2, {}, Outcome.PASS, "20.0% is below 50.0%. So it was."),
        (0.49997, {}, Outcome.PASS, "49.997% is below 50.000%"),
        (0.50002, {}, Outcome.FAIL, "50.002% is not below 50.000%"),
    ],
)
def test_the_first_words_of_a_reason_say_the_outcome(value, changes, outcome, begins):
    finding = found(value, **changes)

    assert finding.outcome is outcome
    assert finding.reason.startswith(begins)
