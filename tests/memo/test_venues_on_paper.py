"""Each kind of venue on every page of the memos: the same fact in the same words."""

from dataclasses import replace

import pytest
import sample
import test_rollback_memo as rolled
from test_rehearsed_and_shortened import rehearsed

from signoff.domain import events as e
from signoff.domain.memo.document import Mark
from signoff.domain.policy import Policy, RollbackPolicy
from signoff.domain.venue import NO_VENUE, NOT_REHEARSED, PositionsAfter, VenueKind
from signoff.rendering.story import sentence

NONE, SIMULATED, CONNECTED = VenueKind
KINDS = [
    (NONE, f"{NOT_REHEARSED}: not measured", Mark.CONDITIONAL),
    (SIMULATED, "41 s, simulated", Mark.CONDITIONAL),
    (CONNECTED, "41 s", Mark.PASS),
]


def of(kind, **changed):
    return rehearsed(venue=kind, **({"residual_orders": None} if kind is NONE else {}), **changed)


@pytest.mark.parametrize(("kind", "time", "mark"), KINDS)
def test_the_recovery_time_reads_the_same_on_page_one_in_the_risks_and_in_the_plan(kind, time, mark):
    memo = of(kind)
    assert next(f.text for f in memo.key_figures if f.label == "Rehearsal") == f"RTO {time}"
    assert sample.cell(memo, "3.2", "RTO (Recovery Time Objective)").text == time
    cell = sample.cell(memo, "5.1", "Rollback Rehearsal")
    assert (cell.mark, cell.text.endswith(f"with {kind.words}")) == (mark, True)
    assert sample.cell(memo, "5.1", "Weakest venue of a rehearsal").text == "no venue (policy)"
    assert sample.cell(memo, "5.1", "Positions after a rollback").text == "closed (policy)"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (NONE, f"The rollback was {NOT_REHEARSED}; {NO_VENUE}. Policy"),
        (SIMULATED, "The rollback was rehearsed at the simulated venue: its orders and its RTO are simulated. Policy"),
    ],
)
def test_page_one_says_which_venue_it_was_and_that_the_policy_accepts_it(kind, said):
    (notice,) = [n for n in of(kind).notices if "rehears" in n]
    assert notice.startswith(said)
    assert notice.endswith("accepts that (rollback.rehearsal_venue: none).")


def test_no_time_of_a_step_that_a_venue_answers_for_is_printed_without_one():
    (table,) = sample.tables(of(NONE), "5.1")
    took = {row[0].text: row[1].text for row in table.rows}
    assert {took[step] for step in ("Fence", "Cancel", "Verify flat")} == {NOT_REHEARSED}
    assert took["Revert"] == "20.0 s"


def test_the_certification_says_that_no_venue_was_there():
    box = sample.boxes(of(NONE), "12")["Rollback plan is tested and ready"]
    assert (box.is_checked, box.note) == (True, NOT_REHEARSED)
    assert sample.boxes(of(CONNECTED), "12")["Rollback plan is tested and ready"].note == ""


def test_a_rehearsal_of_before_had_the_simulated_venue():
    old = e.Rehearsed(seconds=(), residual_orders=0, within_budget=True)
    assert old.venue is SIMULATED
    assert "at the simulated venue" in sentence(old)
    assert NO_VENUE in sentence(replace(old, venue=NONE))


ATTESTED = e.FlatAttested(person="R. Moreau", reason="asked the broker's desk", venue=NONE)


def attested(kind=NONE):
    """The story of a rollback whose flatness somebody vouched for."""
    told = list(rolled.history(venue=kind))
    at = next(n for n, r in enumerate(told) if getattr(r.event, "step", None) is e.Step.VERIFY_FLAT)
    revision = told[at].revision
    vouched = replace(told[at], event=replace(ATTESTED, venue=kind))
    later = [
        replace(r, revision=r.revision + 1) if r.stream == told[at].stream and r.revision >= revision else r
        for r in told[at:]
    ]
    return rolled.told((*told[:at], vouched, *later))


def test_a_rollback_that_was_attested_says_whose_word_it_is_and_that_no_venue_said_so():
    memo = attested()
    assert memo.decision is Mark.CONDITIONAL
    assert f"The rollback had {NO_VENUE}." in memo.notices
    assert "Attested flat by R. Moreau after 11 s, which no venue said" in memo.tldr
    assert ("Attested flat after", "11 s, by R. Moreau") in [(f.label, f.text) for f in memo.key_figures]
    assert sample.cell(memo, "3", "Residual orders and positions").mark is Mark.CONDITIONAL
    assert sample.cell(memo, "3", "Fence").mark is Mark.INCONCLUSIVE
    assert "Verified flat" not in memo.tldr


def test_a_rollback_at_the_simulated_venue_is_called_simulated():
    memo = rolled.told(rolled.history(venue=SIMULATED))
    assert "Verified flat at the simulated venue after 11 s" in memo.tldr
    assert ("Flat after", "11 s, simulated") in [(f.label, f.text) for f in memo.key_figures]
    assert memo.notices == ("Orders and positions are those of the simulated venue.",)


def test_a_rollback_prints_what_the_policy_wants_of_positions(monkeypatch):
    assert sample.cell(rolled.told(rolled.history()), "3", "Positions, by policy").text == "closed"
    kept = Policy(name="firm", version="1", rollback=RollbackPolicy(positions=PositionsAfter.KEPT))
    monkeypatch.setattr(rolled, "POLICY", kept)
    assert sample.cell(rolled.told(rolled.history()), "3", "Positions, by policy").text == "kept"
