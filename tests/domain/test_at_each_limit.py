"""Every number of the policy that something is held against, tried at, just below and just above what was measured.

A row names the limit, gives what was measured, and judges it under a policy. It passes under a limit that is looser by
the least step and fails under one that is stricter by it; the row says what holds where both are the same. A number of
the policy that has no row fails, unless it is listed as one that nothing is held against.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, timedelta
from functools import cache, partial
from math import inf, nextafter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from live_days import measured
from worlds import INTACT, MANIFEST, NOW, REHEARSAL, after, approved, awaiting, lived, opened, shadowing, signature

from signoff.adapters.evidence.sessions import refuse_low_rate
from signoff.contracts import small_release
from signoff.domain import decisions
from signoff.domain.dossier import Success
from signoff.domain.errors import BadInputError, GuardError
from signoff.domain.events import ItemDone, OverrideSigned, RollbackCause, RollbackStuck, Step, Vote
from signoff.domain.evidence import AssetReturns, Replayed
from signoff.domain.finding import Comparison
from signoff.domain.gates import GATES
from signoff.domain.gates.high_sharpe import annual_ratio, too_high
from signoff.domain.gates.realized import agreement
from signoff.domain.gates.trials import bets_of, judged_family
from signoff.domain.gates.value_at_risk import _rejections, _tests
from signoff.domain.gates.verdict import Rule
from signoff.domain.live_metrics import LIVE_METRICS, targets, threshold
from signoff.domain.monitoring import Track, observe
from signoff.domain.monitoring.returns import days_below
from signoff.domain.outcome import Outcome
from signoff.domain.policy import Policy, Role, Stricter, thresholds
from signoff.domain.quantity import Unit
from signoff.domain.rollback_drill import objections
from signoff.domain.silence import share_after
from signoff.domain.statement import Decision
from signoff.domain.thresholds import ThresholdKind
from signoff.stats import christoffersen
from signoff.stats.bets import resemblance
from signoff.stats.overfitting import unchoosable

PLAIN = Policy(name="p", version="1")
CERTIFIED = replace(PLAIN, sign_off=replace(PLAIN.sign_off, accepted_not_evidenced=()))
EVIDENCE, DOSSIER = small_release.evidence(), small_release.dossier()

# What sets how something is measured, or what a hurried release gets in place of a limit that has a row.
NO_LIMIT = {
    "gates.pbo.partitions",
    "gates.walk_forward.window_sessions",
    "gates.var.level",
    "gates.var.window_sessions",
    "gates.hansen_spa.mean_block_sessions",
    "gates.hansen_spa.repetitions",
    "gates.hansen_spa.seed",
    "triggers.sharpe.window_days",
    "triggers.var.window_days",
    *(f"{hurried}.{key}" for hurried in ("hotfix", "redeployment") for key in ("shadow_days", "limited_days")),
    *(f"{hurried}.notice_hours" for hurried in ("hotfix", "redeployment")),
    # The memo prints it as a commitment that nobody shows: there is nothing to measure.
    "phases.enhanced_monitoring_days",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`measured` is the value of the limit at which both are the same; `is_good` judges under a policy."""

    measured: float
    is_good: Callable[[Policy], bool]
    at: bool
    base: Policy = PLAIN
    step: float | None = None
    stricter: Stricter | None = None


def numbers(node: object, prefix: str = "") -> Mapping[str, float]:
    """Every number of the policy, by its dotted path."""
    found: dict[str, float] = {}
    for item in fields(node):
        value, path = getattr(node, item.name), f"{prefix}{item.name}"
        if is_dataclass(value):
            found |= numbers(value, f"{path}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[path] = value
    return found


def with_limit(node, path, value):
    head, _, rest = path.partition(".")
    return replace(node, **{head: with_limit(getattr(node, head), rest, value) if rest else value})


def near(measured, step, *, up):
    if step is not None:
        return measured + step if up else measured - step
    return measured + (1 if up else -1) if isinstance(measured, int) else nextafter(measured, inf if up else -inf)


# Gates.


def gate(key):
    return next(each for each in GATES if each(EVIDENCE, DOSSIER, PLAIN).key == key)


@cache
def finding(key):
    return gate(key)(EVIDENCE, DOSSIER, PLAIN)


def passes(key, policy, evidence=EVIDENCE, dossier=DOSSIER):
    return gate(key)(evidence, dossier, policy).outcome is Outcome.PASS


def of_gate(key, *, strictly=False):
    return Row(measured=finding(key).statistic.value, is_good=partial(passes, key), at=not strictly)


def pbo():
    """The family has junk: both with it and without it the probability is held to the limit."""
    figures = {figure.name: figure.value for figure in finding("pbo").figures}
    worst = max(finding("pbo").statistic.value, figures["gates.pbo.without_junk"])
    return Row(measured=worst, is_good=partial(passes, "pbo"), at=False)


def percent_of(share, *, up):
    """The strictest limit in percent that lets this share through when it is divided by a hundred."""
    found = 100 * share
    for way in (-inf, inf) if up else (inf, -inf):
        while (found / 100 > share) is (way == -inf) and found / 100 != share:
            found = nextafter(found, way)
    return found if (found / 100 <= share) is up or found / 100 == share else nextafter(found, -inf if up else inf)


def without_days(count):
    """The release without some days of its backtest, and of its trials."""
    kept = np.setdiff1d(np.arange(EVIDENCE.backtest.returns.size), np.arange(100, 100 + 7 * count, 7))

    def less(table):
        return replace(table, dates=table.dates[kept], returns=table.returns[kept])

    backtest = less(replace(EVIDENCE.backtest, benchmark=None))
    return replace(EVIDENCE, backtest=backtest, backtest_previous=None, trials=less(EVIDENCE.trials))


def sessions():
    evidence = without_days(2)
    share = gate("sessions")(evidence, DOSSIER, PLAIN).statistic.value
    assert share > 0
    return Row(
        measured=percent_of(share, up=False), is_good=partial(passes, "sessions", evidence=evidence), at=True, step=1e-9
    )


def per_side():
    figures = {figure.name: figure.value for figure in finding("spa").figures}
    fewest = min(figures[f"gates.spa.{side}_predictions"] for side in ("long", "short"))
    return Row(measured=int(fewest), is_good=partial(passes, "spa"), at=True)


def with_assets():
    """The release with the returns of its one asset, a tenth of which are others than the predictions were held to."""
    said = EVIDENCE.predictions
    returns = said.realized.copy()
    returns[::10] *= 3
    days = said.timestamps.astype("datetime64[D]")
    table = AssetReturns(source=said.source, dates=days, symbols=said.symbols, returns=returns)
    return replace(EVIDENCE, asset_returns=table)


def realized():
    evidence = with_assets()
    dossier = replace(DOSSIER, validation=replace(DOSSIER.validation, prediction_horizon=1))
    held = agreement(evidence, 1)
    assert 0.5 < held.share < 1

    def is_believed(policy: Policy) -> bool:
        return gate("spa")(evidence, dossier, policy).statistic.value is not None

    return Row(measured=float(held.share), is_good=is_believed, at=True)


def replayed():
    """Nineteen of twenty decision dates can be replayed."""
    first, last = EVIDENCE.backtest.period
    part = Replayed(dates=19, of=20, first=first, last=last, record=(first, last), record_dates=20)
    evidence = replace(EVIDENCE, pit=replace(EVIDENCE.pit, replayed=part))

    def is_enough(policy: Policy) -> bool:
        return gate("point_in_time")(evidence, DOSSIER, policy).outcome is Outcome.PASS

    return Row(measured=19 / 20, is_good=is_enough, at=True)


def p_value():
    forecasts = np.random.default_rng(5).random(1000) < 0.06
    least = min(test.p_value for test in _tests_of(christoffersen(forecasts, level=0.95)))

    def is_accepted(policy: Policy) -> bool:
        return not list(_rejections(christoffersen(forecasts, level=0.95), policy.gates.var.significance))

    return Row(measured=least, is_good=is_accepted, at=True)


def _tests_of(coverage):
    return [test for _, _, test in _tests(coverage)]


def junk_share():
    earned = np.random.default_rng(1).normal(0.0003, 0.01, (400, 12))
    earned[:, 0] += 0.0015
    found = 5 / 6  # of the six halves of four blocks, five show the best one of these above another

    def kept(share: float) -> int:
        return int((~unchoosable(earned, partitions=4, share=share)).sum())

    def is_choosable(policy: Policy) -> bool:
        return kept(policy.gates.pbo.junk_share) > kept(found)

    return Row(measured=found, is_good=is_choosable, at=False)


def same_trial():
    returns = EVIDENCE.trials.returns[:, :8]
    rng = np.random.default_rng(3)
    alike = np.column_stack([returns, returns[:, 0] + rng.normal(0, 0.003, returns.shape[0])])
    ((_, _, likeness),) = resemblance(alike, lowest=0.5).joined
    family = judged_family(EVIDENCE, "pbo", at_any_leverage=True)
    wide = replace(family, returns=alike)

    def is_its_own_bet(policy: Policy) -> bool:
        return bets_of(wide, policy.gates.same_trial_correlation).size == 9

    return Row(measured=likeness, is_good=is_its_own_bet, at=True, stricter=Stricter.LOWER)


def near_miss():
    def is_clear(policy: Policy) -> bool:
        rule = Rule(
            key="k", title="t", comparison=Comparison.AT_MOST, threshold=1.0, unit=Unit.RATIO, digits=2,
            is_blocking=True, near_miss_pct=policy.gates.near_miss_pct, method="m",
        )  # fmt: skip
        return not rule.is_near(1.125)

    return Row(measured=12.5, is_good=is_clear, at=False, stricter=Stricter.HIGHER)


def risk_free():
    def is_taken(policy: Policy) -> bool:
        try:
            refuse_low_rate(Path("dossier"), SimpleNamespace(risk_free_pct=-0.5), policy.gates)
        except BadInputError:
            return False
        return True

    return Row(measured=-0.5, is_good=is_taken, at=True)


def largest_sharpe():
    ratio = annual_ratio(EVIDENCE.backtest)
    return Row(measured=ratio, is_good=lambda policy: too_high(EVIDENCE, DOSSIER, policy) is None, at=True)


# Approvals, phases, the way back.


def is_refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except GuardError:
        return True
    return False


def expiry():
    """A signature of thirty days ago that is counted today."""

    def holds(policy: Policy) -> bool:
        decision = Decision(
            verdict=Vote.APPROVE, subject=MANIFEST, model="m", version="2", deployment="m-2", policy=policy
        )
        stated = decision.stated_by("Ada", Role.CTO, NOW - timedelta(days=30))
        signed = signature(Role.CTO, expires_at=stated.expires_at)
        return not is_refused(lambda: decisions.approvals.approve(awaiting(), signed, INTACT, REHEARSAL, NOW))

    return Row(measured=30, is_good=holds, at=False, stricter=Stricter.LOWER)


def overrides():
    def is_free(policy: Policy) -> bool:
        state = opened(blocking=("pbo",), policy=policy)
        for role in (Role.RISK_MANAGER, Role.CTO):
            signed = signature(role, verdict=Vote.OVERRIDE)
            state = after(state, OverrideSigned(signature=signed))
        return state.is_free_at(NOW)

    return Row(measured=2, is_good=is_free, at=True)


def phase_days(key):
    def advances(policy: Policy) -> bool:
        base = with_limit(policy, "phases.shadow_days", 3) if key == "limited_days" else policy
        state = lived(shadowing(policy=base), 3 if key == "limited_days" else 4)
        if key == "limited_days":
            state = lived(after(state, *decisions.rollout.advance(state, INTACT, None, NOW)), 4)
        return not is_refused(lambda: decisions.rollout.advance(state, INTACT, None, NOW))

    return Row(measured=4, is_good=advances, at=True)


def limited_share():
    def trades_as_much(policy: Policy) -> bool:
        state = lived(shadowing(policy=with_limit(policy, "phases.shadow_days", 1)), 1)
        (entered,) = decisions.rollout.advance(state, INTACT, None, NOW)
        return entered.allocation_pct >= 12

    return Row(measured=12, is_good=trades_as_much, at=True)


def deadline(name, minutes):
    """A deadline that is as long as the rollback has lasted."""

    def is_met(policy: Policy) -> bool:
        state = shadowing(policy=policy)
        state = after(state, *decisions.rollback.begin_rollback(state, RollbackCause.BUSINESS, "", "because", NOW))
        late = decisions.rollback.overdue(state, NOW + timedelta(minutes=minutes))
        return name not in {one.name for one in late}

    unit = 60 if name == "post_mortem" else 1
    return Row(measured=minutes / unit, is_good=is_met, at=True, step=1e-4)


def rehearsal_age():
    def is_fresh(policy: Policy) -> bool:
        day = REHEARSAL.at.date() + timedelta(days=40)
        return not any("days before" in said for said in objections(REHEARSAL, policy, "1", day))

    return Row(measured=40, is_good=is_fresh, at=True)


def paged(minutes, policy):
    state = shadowing(policy=policy)
    state = after(state, *decisions.rollback.begin_rollback(state, RollbackCause.BUSINESS, "", "because", NOW))
    state = after(state, RollbackStuck(step=Step.FENCE, detail="no answer"))
    return decisions.rollback.page_due(state, NOW + timedelta(minutes=minutes))


def notice():
    def may_start(policy: Policy) -> bool:
        state = after(approved(policy=policy), ItemDone(item="desk told", person="Ada"))
        return not decisions.notices.notice_objections(state, NOW + timedelta(hours=20))

    return Row(measured=20.0, is_good=may_start, at=True, base=CERTIFIED, step=1e-4)


# What is monitored.


def computed(key, value, policy):
    """A day on which one row of the table came out at this value."""
    table = tuple(replace(row, compute=lambda _: value) for row in LIVE_METRICS if row.key == key)
    return observe(measured(), policy, {}, table=table)


def alert(key, value, *, level):
    """An alert of the table; its other level and the trigger lie far away."""
    far = -99.0 if key == "rolling_sharpe_30d" else 99.0
    name = {"rolling_sharpe_30d": "sharpe_30d", "psi_max": "psi"}.get(key, key)
    base = with_limit(PLAIN, f"alerts.{name}.{'critical' if level == 'warning' else 'warning'}", far)
    for trigger in ("triggers.sharpe.below", "triggers.error_rate_pct", "triggers.latency_p95_ms"):
        base = with_limit(base, trigger, -99.0 if trigger.endswith("below") else 99.0)

    def is_quiet(policy: Policy) -> bool:
        return computed(key, value, policy).readings[0].level != level

    return Row(measured=value, is_good=is_quiet, at=True, base=base)


def trigger(key, name, value, *, at):
    return Row(measured=value, is_good=lambda policy: name not in computed(key, value, policy).fired, at=at)


def sharpe_floor():
    def is_above(policy: Policy) -> bool:
        return not threshold(policy, "rolling_sharpe_30d", ThresholdKind.TRIGGER).holds(0.4)

    return Row(measured=0.4, is_good=is_above, at=True)


def minimum_days():
    """Twenty lived days of losses; the trigger is silent until it may judge one of them."""
    track = Track.of(measured(returns=np.where(np.arange(600) % 2, 0.001, -0.0012), lived=20))
    return Row(measured=20, is_good=lambda policy: days_below(track, policy).days == 0, at=False)


def target(key, value, *, at):
    success = Success(
        sharpe=0.5, hit_rate_pct=50.0, max_drawdown_pct=-10.0, latency_p95_ms=100.0, review_date=date(2019, 2, 1),
        attendees=("all",),
    )  # fmt: skip
    return Row(measured=value, is_good=lambda policy: targets(policy, success)[key].holds(value), at=at)


def silence(sessions, *, least):
    return Row(measured=sessions, is_good=lambda policy: share_after(policy, sessions, 100) > least, at=False)


ROWS: dict[str, Callable[[], Row]] = {
    "gates.spa.threshold": partial(of_gate, "spa"),
    "gates.spa.minimum_per_side": per_side,
    "gates.spa.realized_agreement": realized,
    "gates.dsr.threshold": partial(of_gate, "dsr"),
    "gates.pbo.threshold": pbo,
    "gates.pbo.junk_share": junk_share,
    "gates.walk_forward.threshold": partial(of_gate, "walk_forward"),
    "gates.var.limit_pct": lambda: Row(
        measured=percent_of(finding("var").statistic.value, up=True),
        is_good=partial(passes, "var"),
        at=True,
        step=1e-12,
    ),
    "gates.var.significance": p_value,
    "gates.point_in_time.minimum_dates": lambda: Row(measured=24, is_good=partial(passes, "point_in_time"), at=True),
    "gates.point_in_time.minimum_replayed_share": replayed,
    "gates.deflated_sharpe.threshold": partial(of_gate, "deflated_sharpe"),
    "gates.hansen_spa.threshold": partial(of_gate, "hansen_spa", strictly=True),
    "gates.sessions.limit_pct": sessions,
    "gates.near_miss_pct": near_miss,
    "gates.same_trial_correlation": same_trial,
    "gates.lowest_risk_free_pct": risk_free,
    "gates.largest_sharpe": largest_sharpe,
    "approvals.expires_days": expiry,
    "approvals.override_persons": overrides,
    "phases.shadow_days": partial(phase_days, "shadow_days"),
    "phases.limited_days": partial(phase_days, "limited_days"),
    "phases.limited_allocation_pct": limited_share,
    "triggers.sharpe.below": sharpe_floor,
    "triggers.sharpe.consecutive_days": partial(trigger, "sharpe_days_below", "sharpe", 8, at=False),
    "triggers.sharpe.minimum_days": minimum_days,
    "triggers.var.exceptions": partial(trigger, "var_exceptions_attributed", "var", 4, at=False),
    "triggers.error_rate_pct": partial(trigger, "error_rate_pct", "error_rate", 3.0, at=True),
    "triggers.latency_p95_ms": partial(trigger, "latency_p95_ms", "latency_p95", 150.0, at=True),
    "silence.limited_after_sessions": partial(silence, 2, least=50),
    "silence.zero_after_sessions": partial(silence, 5, least=0),
    **{
        f"alerts.{name}.{level}": partial(alert, key, value, level=level)
        for name, key, value in (
            ("sharpe_30d", "rolling_sharpe_30d", 0.8),
            ("psi", "psi_max", 0.15),
            ("latency_p95_ms", "latency_p95_ms", 60.0),
            ("error_rate_pct", "error_rate_pct", 2.0),
        )
        for level in ("warning", "critical")
    },
    "rollback.immediate_minutes": partial(deadline, "immediate", 5.0),
    "rollback.revert_minutes": partial(deadline, "revert", 12.0),
    "rollback.review_minutes": partial(deadline, "review", 100.0),
    "rollback.post_mortem_hours": partial(deadline, "post_mortem", 1800.0),
    "rollback.rehearsal_max_age_days": rehearsal_age,
    "rollback.page_every_minutes": lambda: Row(measured=15.0, is_good=lambda p: paged(15.0, p) is None, at=False),
    "rollback.escalate_after_minutes": lambda: Row(
        measured=30.0, is_good=lambda p: not paged(30.0, p).is_escalated, at=False
    ),
    "success.correlation_with_backtest": partial(target, "correlation_with_backtest", 0.6, at=False),
    "success.uptime_pct": partial(target, "uptime_pct", 99.0, at=False),
    "success.error_rate_pct": partial(target, "error_rate_pct", 2.0, at=False),
    "sign_off.notice_hours": notice,
}
DIRECTIONS = {each.path: each.stricter for each in thresholds(PLAIN)}


def test_every_number_of_the_policy_has_a_row_or_is_held_against_nothing():
    assert set(numbers(PLAIN)) == set(ROWS) | NO_LIMIT
    assert not set(ROWS) & NO_LIMIT


@pytest.mark.parametrize("path", ROWS)
def test_a_limit_acts_just_beyond_itself_and_nowhere_before(path):
    row = ROWS[path]()
    is_up = (row.stricter or DIRECTIONS[path]) is Stricter.HIGHER
    limits = {
        "stricter": near(row.measured, row.step, up=is_up),
        "at": row.measured,
        "looser": near(row.measured, row.step, up=not is_up),
    }
    found = {name: bool(row.is_good(with_limit(row.base, path, limit))) for name, limit in limits.items()}
    assert found == {"stricter": False, "at": row.at, "looser": True}, limits
