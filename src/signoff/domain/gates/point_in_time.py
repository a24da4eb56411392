"""Section 2.3: whether any feature used the future, and what replay and code review together show."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from signoff.domain.assessment import PitStatus, PitSummary
from signoff.domain.dossier import Dossier, PitDeclaration
from signoff.domain.evidence import Evidence, PitEvidence, PitFinding
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates.definition import GateDefinition
from signoff.domain.gates.verdict import GateMeasurement, Lack, Rule, guarded, has_and_needs
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity, Unit, count, number, percent
from signoff.stats.errors import InputError

UNMOVED: Final = "unmoved"
RANGE_NOT_RECORDED: Final = "Which part of the record the replay speaks of was not recorded"
MOST_NAMED: Final = 3
SEED: Final = "gates.point_in_time.seed"
NOT_RUN: Final = "The replay did not run; check validation.pit.compute and validation.pit.inputs in dossier.yaml."


POINT_IN_TIME: Final = GateDefinition(
    key="point_in_time",
    title="Point-in-Time Integrity",
    asks="Does any feature use what was not yet known?",
    formula="Features are computed again with the future removed and scrambled; none may move.",
    paper="none; it is a replay",
    needs="a dossier that names the feature code and its inputs",
    names=r"point[\s-]in[\s-]time|PIT|look-?\s?ahead|leak(?:age|s|ed)?(?:-free)?",
    shown=(("features", "{} features"), ("declared_features", "{} declared"), ("dates", "{} dates")),
    is_of_dossier=True,
)


def point_in_time_integrity(evidence: Evidence, dossier: Dossier, policy: Policy) -> Finding:
    """No feature may change when the future is removed; the backtest of one that does is worthless."""
    gate = policy.gates.point_in_time
    rule = Rule(
        key=POINT_IN_TIME.key,
        title=POINT_IN_TIME.title,
        comparison=Comparison.AT_MOST,
        threshold=0,
        unit=Unit.COUNT,
        digits=0,
        is_blocking=gate.blocking,
        near_miss_pct=policy.gates.near_miss_pct,
        method="features that use what was not yet known, by a replay with the future removed and scrambled",
    )

    def measure() -> GateMeasurement | Lack:
        replay = evidence.pit
        if replay is None:
            return Lack(NOT_RUN)
        if replay.error is not None:
            raise InputError(f"the replay could not run: {replay.error}")
        if nothing := _nothing_seen(replay, gate.minimum_dates):
            return Lack(nothing, has_and_needs("point_in_time", "dates", replay.dates_checked, gate.minimum_dates))
        leaking = {finding.feature for finding in replay.findings}
        return GateMeasurement(
            value=len(leaking),
            n=replay.dates_checked,
            source="point-in-time replay",
            convention=f"seed {replay.seed}",
            explanation=" ".join(
                filter(
                    None,
                    (_result(replay), f"{range_words(replay)}.", _declared(replay, dossier.header.deployed_by.name)),
                )
            ),
            figures=tuple(_figures(replay)),
            unsettled=tuple(filter(None, (_unreplayed(replay, gate.minimum_replayed_share),))),
            turning_point=f"It would pass once {', '.join(sorted(leaking))} {_mended(replay.findings)}."
            if leaking
            else "It would fail with the first feature that moves.",
        )

    return guarded(rule, measure)


def range_words(replay: PitEvidence) -> str:
    """The part of the record that was replayed, in the words of every page."""
    part = replay.replayed
    if part is None:
        return RANGE_NOT_RECORDED
    span = f"The replay speaks of {part.first} to {part.last}: " if part.first is not None else "The replay speaks of "
    words = f"{span}{part.dates:,} of {part.of:,} decision dates ({_share(part.dates, part.of)})"
    if part.pairs != part.of_pairs:
        words += f", {part.pairs:,} of {part.of_pairs:,} dates and symbols ({_share(part.pairs, part.of_pairs)})"
    begin, end = part.record
    return f"{words}; the backtest runs {begin} to {end} ({part.record_dates:,} rows)"


def _share(part: int, whole: int) -> str:
    """A share that never rounds up to the whole."""
    share = part / whole if whole else 0.0
    digits = next((digits for digits in (1, 2, 3) if part == whole or round(100 * share, digits) < 100), 4)
    return f"{number(share, Unit.PERCENT, digits)}%"


def _unreplayed(replay: PitEvidence, minimum_share: float) -> str:
    """The part of the record that was not replayed, if the policy asks for more; else an empty text."""
    part = replay.replayed
    if part is None or part.share >= minimum_share:
        return ""
    missing = [gap.words for gap in part.gaps[:MOST_NAMED]]
    if (more := len(part.gaps) - MOST_NAMED) > 0:
        missing.append(f"{more:,} more {'range' if more == 1 else 'ranges'}")
    if part.symbols:
        of_symbols = "; ".join(part.symbols[:MOST_NAMED])
        more = len(part.symbols) - MOST_NAMED
        missing.append(f"by symbol {of_symbols}{f'; {more:,} more symbols' if more > 0 else ''}")
    return (
        f"Not replayed: {', '.join(missing)}. {_least(part.share, minimum_share)} of the decisions were replayed. "
        "Give validation.pit.inputs the history of the whole record, or cut the record to what they have."
    )


def _least(share: float, minimum: float) -> str:
    """The share beside its limit, with enough digits to tell them apart."""
    digits = next((digits for digits in (1, 2, 3) if round(100 * share, digits) < round(100 * minimum, digits)), 4)
    least, shown = number(minimum, Unit.PERCENT, digits), number(share, Unit.PERCENT, digits)
    return f"Expected at least {least}% (gates.point_in_time.minimum_replayed_share), found that {shown}%"


def _result(replay: PitEvidence) -> str:
    if replay.findings:
        return _leaks(replay.findings)
    verified = (
        f"Each of {replay.features_checked} features"
        if not replay.declared
        else f"Each of {_verified(replay)} features that are not declared"
    )
    audits = f" Clean audits: {', '.join(audit.name for audit in replay.audits)}." if replay.audits else ""
    return f"{verified}, recomputed on {replay.dates_checked} dates, stayed.{audits}"


def _verified(replay: PitEvidence) -> int:
    """The number of features that were checked against memory too."""
    return replay.features_checked - len(replay.declared)


def _declared(replay: PitEvidence, author: str) -> str:
    """Which features the dossier exempts from the check against memory, or an empty text."""
    by = f"not checked against memory (declared by {author} in validation.pit.from_times)."
    return " ".join(
        f"{len(names)} {noun} {'is' if len(names) == 1 else 'are'} declared to come from times alone "
        f"({', '.join(names)}), {by}"
        for names, noun in (
            (replay.declared, "feature" if len(replay.declared) == 1 else "features"),
            (replay.declared_decisions, "decision" if len(replay.declared_decisions) == 1 else "decisions"),
        )
        if names
    )


def _figures(replay: PitEvidence) -> Iterator[Quantity]:
    yield count("gates.point_in_time.features", _verified(replay))
    if replay.declared:
        yield count("gates.point_in_time.declared_features", len(replay.declared))
    yield count("gates.point_in_time.dates", replay.dates_checked)
    yield count(SEED, replay.seed)
    if (part := replay.replayed) is not None:
        yield count("gates.point_in_time.replayed_dates", part.dates)
        yield count("gates.point_in_time.decision_dates", part.of)
        yield percent("gates.point_in_time.replayed_share", part.share, n=part.of_pairs or part.of)
    for audit in replay.audits:
        yield count(f"gates.point_in_time.{_key(audit.name)}_rows", audit.rows_checked)
    for kind, times in sorted(Counter(finding.kind for finding in replay.findings).items()):
        yield count(f"gates.point_in_time.{kind}", times)


def point_in_time(
    evidence: PitEvidence | None, declaration: PitDeclaration, author: str, *, minimum_share: float = 0.0
) -> PitSummary:
    """The status; verified needs a clean replay of at least one feature on at least one date, and a code reviewer.

    A replay of less than `minimum_share` of the decisions does not verify the rest.
    """
    if evidence is None:
        return PitSummary(status=PitStatus.NOT_PROVIDED, reason=NOT_RUN)
    if evidence.error is not None:
        return PitSummary(status=PitStatus.FAILED, reason=f"The replay could not run: {evidence.error}")
    if evidence.findings:
        why = " ".join(
            filter(None, (_leaks(evidence.findings), f"{range_words(evidence)}.", _declared(evidence, author)))
        )
        return PitSummary(status=PitStatus.FAILED, reason=why)
    if nothing := _nothing_seen(evidence, 1):
        return PitSummary(status=PitStatus.FAILED, reason=nothing)
    audits = f", nor did {', '.join(audit.name for audit in evidence.audits)} find anything" if evidence.audits else ""
    unreplayed = _unreplayed(evidence, minimum_share)
    notes = " ".join(filter(None, (f"{range_words(evidence)}.", unreplayed, _declared(evidence, author))))
    of = (
        f"{_verified(evidence)} of {evidence.features_checked} features verified; {len(evidence.declared)} declared. "
        if evidence.declared
        else ""
    )
    replay = (
        f"{of}Replay of {evidence.features_checked} features on {evidence.dates_checked} dates "
        f"(seed {evidence.seed}) with the future removed changed nothing{audits}"
    )
    review = (
        f"code reviewed by {declaration.code_review_by}, as declared"
        if declaration.code_review_by
        else "no code review is declared (validation.pit.code_review_by)"
    )
    is_verified = bool(declaration.code_review_by) and not unreplayed
    return PitSummary(
        status=PitStatus.VERIFIED if is_verified else PitStatus.CONDITIONAL, reason=f"{replay}; {review}. {notes}"
    )


def _key(name: str) -> str:
    return name.replace(" ", "_").replace("/", "_")


def _nothing_seen(replay: PitEvidence, minimum_dates: int) -> str:
    """Why the replay and its audits show nothing, or an empty text."""
    if replay.features_checked < 1 or replay.dates_checked < minimum_dates:
        return (
            f"The replay checked {replay.features_checked} features on {replay.dates_checked} dates; one feature and "
            f"{minimum_dates} dates are the least. Give it longer inputs, or raise validation.pit.sample_dates."
        )
    if _verified(replay) < 1:
        return (
            f"The replay verified none of {replay.features_checked} features: all of them are declared to come from "
            "times alone in validation.pit.from_times. Give it one that is computed from the inputs."
        )
    if idle := [audit.name for audit in replay.audits if not audit.has_looked]:
        return f"Nothing could be compared for {', '.join(idle)}; check the files in validation.pit.audits."
    return ""


def _leaks(findings: tuple[PitFinding, ...]) -> str:
    """A sentence on features that used the future, and one on those that do not come from their inputs."""
    unmoved = tuple(finding for finding in findings if finding.kind == UNMOVED)
    leaking = tuple(finding for finding in findings if finding.kind != UNMOVED)
    return " ".join(filter(None, (_future(leaking), _foreign(unmoved))))


def _mended(findings: tuple[PitFinding, ...]) -> str:
    return "came from the inputs" if all(finding.kind == UNMOVED for finding in findings) else "no longer moved"


def _foreign(findings: tuple[PitFinding, ...]) -> str:
    features = sorted({finding.feature for finding in findings})
    if not features:
        return ""
    noun = "feature does" if len(features) == 1 else "features do"
    return (
        f"{len(features)} {noun} not come from the declared inputs: {', '.join(features)}; the values stay the same, "
        "or keep their order, when every input is scrambled, as those of a cache or a file do. Compute "
        f"{'it' if len(features) == 1 else 'them'} from the inputs, or declare what comes from times alone in "
        "validation.pit.from_times."
    )


def _future(findings: tuple[PitFinding, ...]) -> str:
    features = sorted({finding.feature for finding in findings})
    if not features:
        return ""
    first = min(findings, key=lambda finding: finding.first_date)
    noun = "feature uses" if len(features) == 1 else "features use"
    return (
        f"{len(features)} {noun} what was not yet known: {', '.join(features)}; "
        f"earliest {first.first_date} ({first.kind} of {first.feature})."
    )
