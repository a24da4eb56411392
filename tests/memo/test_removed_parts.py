"""No box of the certification is ticked because something was taken away."""

from dataclasses import replace

import pytest
import sample

from signoff.domain.memo.sign_off import certifications

FULL = sample.release()


def without(**gone):
    return replace(FULL, standing=replace(FULL.standing, **gone))


def judged(**gone):
    return replace(FULL, assessment=replace(FULL.assessment, **gone))


LESS = {
    "rehearsal": without(rehearsal=None),
    "check of the previous version": without(previous_check=None),
    "links": without(links={}),
    "notices": without(notices=()),
    "approvals": without(approvals=(), is_approved=False),
    "findings": judged(findings=()),
    "regimes": judged(regimes=()),
    "stress": judged(stress=()),
    "registered version": replace(FULL, evidence=replace(FULL.evidence, candidate=None)),
    "everything": replace(
        FULL,
        standing=replace(FULL.standing, rehearsal=None, links={}, notices=(), approvals=(), is_approved=False),
        assessment=replace(FULL.assessment, findings=(), regimes=(), stress=()),
        evidence=replace(FULL.evidence, candidate=None),
    ),
}


def ticked(release):
    return {box.text for box in certifications(release) if box.is_checked}


@pytest.mark.parametrize("gone", LESS)
def test_no_box_is_ticked_because_something_was_taken_away(gone):
    assert ticked(LESS[gone]) <= ticked(FULL)


def test_without_anything_no_box_is_ticked():
    assert ticked(LESS["everything"]) == set()
