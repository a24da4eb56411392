"""The table itself: what it says of whom, and where it is shown."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signoff.domain.errors import RefusedError
from signoff.domain.permissions import (
    APART,
    HELD_LOCALLY,
    MATRIX,
    PERSONAL,
    AccessRole,
    ForbiddenError,
    Permission,
    Principal,
    compatible,
    may,
    may_locally,
    permitted,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "permissions.md"
APPROVING = {
    Permission.APPROVE,
    Permission.REJECT,
    Permission.MEET,
    Permission.OVERRIDE,
    Permission.ADOPT,
    Permission.REARM,
}


def test_the_page_shows_the_matrix():
    shown = {}
    table = next(part for part in DOCUMENT.read_text().split("\n\n") if part.startswith("|"))
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    duties = [AccessRole(cell.strip().replace(" ", "_")) for cell in lines[0].strip("|").split("|")[1:]]
    for line in lines[1:]:
        verb, *cells = [cell.strip() for cell in line[1:-1].split("|")]
        shown |= {(duty, Permission(verb)): cell == "●" for duty, cell in zip(duties, cells, strict=True)}
    assert shown == {(duty, verb): verb in MATRIX[duty] for duty in AccessRole for verb in Permission}


def test_the_server_answers_the_matrix(client):
    said = client.get("/api/v1/permissions").json()["duties"]
    assert said == {duty.value: sorted(MATRIX[duty]) for duty in AccessRole}


def test_an_auditor_changes_nothing_and_an_administrator_approves_nothing():
    assert MATRIX[AccessRole.AUDITOR] == {Permission.READ, Permission.READ_FLAGS, Permission.EXPORT}
    assert not MATRIX[AccessRole.ADMINISTRATOR] & APPROVING
    assert not MATRIX[AccessRole.MACHINE] & (PERSONAL | {Permission.START, Permission.ADVANCE, Permission.RESUME})


@pytest.mark.parametrize(("minutes", "is_fresh"), [(0, True), (5, True), (6, False), (-5, True), (-6, False)])
def test_a_sign_in_is_fresh_within_five_minutes_and_none_of_tomorrow_is(minutes, is_fresh):
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    seen = now - timedelta(minutes=minutes)
    person = Principal(name="A. Berg", duties=frozenset({AccessRole.CTO}), signed_in_at=seen)
    with nullcontext() if is_fresh else pytest.raises(ForbiddenError, match="last five minutes"):
        may(person, Permission.REARM, now)


@pytest.mark.parametrize("apart", sorted(APART))
def test_a_duty_that_stands_apart_gains_nothing_from_another(apart):
    assert permitted({apart, AccessRole.RISK}) == MATRIX[apart]
    with pytest.raises(RefusedError, match=apart.value):
        compatible({apart, AccessRole.RISK})


ENROLLED = {
    "R. Moreau": frozenset({AccessRole.RISK}),
    "T. Haddad": frozenset({AccessRole.HEAD_OF_TRADING}),
    "A. Lindqvist": frozenset({AccessRole.RESEARCHER}),
    "V. Audit": frozenset({AccessRole.AUDITOR}),
}


@pytest.mark.parametrize("verb", list(Permission))
@pytest.mark.parametrize("name", [*ENROLLED, "nobody known"])
def test_on_the_machine_itself_the_table_holds_for_what_runs_a_release_and_every_exit_is_open(name, verb):
    held = verb in HELD_LOCALLY
    may = verb in (permitted(ENROLLED[name]) if name in ENROLLED else MATRIX[AccessRole.MACHINE] - PERSONAL)
    if held and not may:
        with pytest.raises(ForbiddenError, match=f"^{name} (holds|is not enrolled here).*to {verb.value} takes one of"):
            may_locally(name, verb, ENROLLED)
    else:
        may_locally(name, verb, ENROLLED)
    may_locally(name, verb, {})


def test_no_exit_is_held_on_the_machine_itself():
    assert not HELD_LOCALLY & {Permission.KILL, Permission.ROLLBACK, Permission.PAUSE, Permission.ATTEST_FLAT}


def test_a_refusal_on_the_machine_names_who_may_or_how_somebody_could():
    with pytest.raises(ForbiddenError, match=r"Name a person who may with --as: T\. Haddad"):
        may_locally("root", Permission.START, ENROLLED)
    with pytest.raises(ForbiddenError, match="No enrolled person may; give one the duty"):
        may_locally("root", Permission.START, {"A. Lindqvist": frozenset({AccessRole.RESEARCHER})})
