"""A living memo says on page one what became of the release: rolled back, killed, stuck, rejected, superseded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sample

from signoff.domain import events as e
from signoff.domain.artifacts import BEFORE_BINDING
from signoff.domain.deployment import Deployment, Rollback, State
from signoff.domain.dossier import DeploymentType
from signoff.domain.memo.document import Bullets, Mark
from signoff.domain.memo.lived import lived
from signoff.domain.policy import Policy, Role
from signoff.rendering.markdown import markdown

START = datetime(2019, 1, 20, 14, 30, tzinfo=UTC)
NOW = START + timedelta(days=3)
ROLLBACK = Rollback(
    occasion=e.RollbackCause.PERFORMANCE,
    trigger="latency_p95",
    reason="orders came too late.",
    from_phase=e.Phase.LIMITED,
    started_at=START + timedelta(days=1),
    deadlines=(),
    stuck_at=e.Step.CANCEL,
    stuck_because="the venue does not answer",
)
STATE = Deployment(
    id="momentum-2.0.0-1a2b3c4d",
    model="momentum",
    version="2.0.0",
    previous_version="1.1.0",
    previous_deployment=None,
    deployment_type=DeploymentType.UPGRADE,
    submitted_by="K",
    barred=(),
    policy=Policy(name="firm", version="1"),
    undertakings=None,
    dossier_digest="",
    state=State.LIMITED,
    revision=9,
    opened_at=START,
    unbound=BEFORE_BINDING,
    editions=(("submitted", "d1"), ("approved", "d2")),
)


def recorded(hours: float, event, stream="model/momentum", actor="O. Perez"):
    return e.Recorded(stream=stream, revision=1, at=START + timedelta(hours=hours), actor=actor, event=event)


def killed(hours=30.0, reason="fills look wrong"):
    return recorded(hours, e.Killed(model="momentum", reason=reason, epoch=1))


def living(state=STATE, *, of_model=()):
    shadow = recorded(1, e.PhaseEntered(phase=e.Phase.SHADOW, allocation_pct=0), stream=f"deployment/{state.id}")
    memo = replace(sample.memo(), tldr="Better. Asks for 10% of capital in the limited phase, then for all of it.")
    return lived(memo, (shadow,), NOW, state=state, of_model=of_model)


def phases(memo):
    blocks = memo.sections[-1].blocks
    at = next(n for n, block in enumerate(blocks) if getattr(block, "rows", (("", 0),))[0][0] == "Phases")
    assert isinstance(blocks[at + 1], Bullets)
    return blocks[at + 1].items


@pytest.mark.parametrize(
    ("changes", "mark", "words"),
    [
        (
            {"state": State.ROLLED_BACK, "rollback": ROLLBACK},
            Mark.ROLLED_BACK,
            "trigger latency_p95, performance: orders came too late",
        ),
        ({"state": State.ROLLING_BACK, "rollback": ROLLBACK}, Mark.ROLLING_BACK, "trigger latency_p95"),
        ({"state": State.ROLLBACK_STUCK, "rollback": ROLLBACK}, Mark.ROLLBACK_STUCK, "the venue does not answer"),
        (
            {"state": State.REJECTED, "rejection": sample.signature(Role.CTO, e.Vote.REJECT)},
            Mark.REJECTED,
            "REJECTED by",
        ),
        ({"state": State.SUPERSEDED, "superseded_by": "momentum-3"}, Mark.SUPERSEDED, "SUPERSEDED by momentum-3"),
    ],
)
def test_page_one_says_that_a_release_has_ended_and_asks_for_no_capital(changes, mark, words):
    memo = living(replace(STATE, **changes))
    assert (memo.decision, memo.status) == (mark, mark)
    assert any(words in notice for notice in memo.notices[1:4])
    assert "Asks for" not in memo.tldr
    assert memo.tldr.upper().startswith(mark.value) or mark is Mark.REJECTED


def test_the_living_memo_of_a_killed_model_says_who_killed_it_when_and_why_and_ends_its_phases_with_it():
    memo = living(of_model=(killed(),))
    assert memo.decision is Mark.KILLED
    assert memo.notices[1] == "momentum is KILLED, 2019-01-21 20:30 UTC: killed by O. Perez: fills look wrong."
    assert "Asks for" not in memo.tldr
    assert phases(memo)[-1] == "2019-01-21 20:30 UTC: killed by O. Perez: fills look wrong"


def test_what_people_wrote_as_the_summary_is_quoted_with_its_mark_once_the_release_is_killed():
    written = replace(sample.memo(), tldr="Better. Asks for 10%.", tldr_mark="declared by K. Example, not computed")
    memo = lived(written, (), NOW, state=STATE, of_model=(killed(),))
    assert memo.tldr.endswith(
        "Before that the release read (declared by K. Example, not computed): “Better. Asks for 10%.”"
    )
    assert memo.tldr_mark == ""


def test_a_model_that_two_people_armed_again_is_not_killed_any_more_and_its_phases_tell_both():
    memo = living(of_model=(killed(), recorded(40, e.Rearmed(persons=("R. Moreau", "T. Haddad")))))
    assert memo.decision is not Mark.KILLED
    assert "Asks for 10%" in memo.tldr
    assert [item.partition("UTC: ")[2] for item in phases(memo)] == [
        "shadow at 0%",
        "killed by O. Perez: fills look wrong",
        "armed again by R. Moreau and T. Haddad",
    ]


def test_a_kill_that_was_lifted_before_the_release_is_none_of_its_own():
    lifted = (killed(-9), recorded(-8, e.Rearmed(persons=("R. Moreau", "T. Haddad"))))
    assert not any("killed" in item for item in phases(living(of_model=lifted)))
    assert living(of_model=(killed(-9),)).decision is Mark.KILLED


def test_page_one_names_a_second_registration_of_the_version():
    notices = living(replace(STATE, registered_again=(7, 9))).notices
    assert "ALARM: v2.0.0 was registered again, as number 7, 9." in notices


def test_a_living_memo_points_to_the_attachments_of_the_signed_edition():
    told = markdown(living())[0].decode().partition("**Attachments**")[2]
    assert "None is in this folder" in told
    assert "releases/momentum-2.0.0-1a2b3c4d/approved/attachments" in told
    assert "Detailed backtest report" not in told
