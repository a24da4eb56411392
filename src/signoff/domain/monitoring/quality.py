"""Data quality: rows duplicated or out of order, features and symbols lost, values that are not numbers.

Each fault is a reading that names the column or symbol. Its level is unknown, since the figures without the fault are
unknown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Days, Floats, Instants, Symbols
from signoff.domain.monitoring.cadence import bars, cadence_s
from signoff.domain.monitoring.drift import MOST_SESSIONS, Drift
from signoff.domain.monitoring.measurement import Measurement
from signoff.domain.monitoring.operational import Outcomes
from signoff.domain.monitoring.readings import Figure, as_date, newest, some, too_few
from signoff.domain.monitoring.usual import LEVEL, MIN_SESSIONS, beyond, range_of

# The largest that a dossier may state.
GREATEST_EXPOSURE_PCT: Final = 1000.0
ROUNDING_PCT: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubled:
    """The number of duplicated rows of a table, and the first of them in words."""

    table: str
    rows: int
    first: str


def apart_s(measured: Measurement) -> float:
    """The least distance of two predictions of a symbol: half of that in the evidence, or else in training."""
    approved = measured.approved
    cadence = approved.cadence_s if approved is not None and approved.cadence_s else measured.baseline.cadence_s
    earlier = measured.earlier
    if np.unique(earlier.sessions).size >= MIN_SESSIONS:
        past = cadence_s(earlier.timestamps, earlier.symbols)
        cadence = past if cadence is None or past is None else min(cadence, past)
    return (cadence or 0.0) / 2


def doubled_rows(measured: Measurement) -> tuple[Doubled, ...]:
    """Every table of the measurement with duplicated rows, exact or a moment later."""
    tables = (measured.history, measured.live, *(() if measured.champion is None else (measured.champion,)))
    faults = [_doubled_days(table.name, table.dates) for table in tables[2:]]
    faults.append(_doubled_days("returns", np.concatenate([table.dates for table in tables[:2]])))
    rows = measured.predictions
    faults.append(_doubled_rows("predictions", rows.timestamps, rows.symbols, apart_s(measured)))
    features = measured.features
    if features.symbols is not None:
        faults.append(
            _doubled_rows("features", features.timestamps, features.symbols, (measured.baseline.cadence_s or 0.0) / 2)
        )
    if (again := measured.baseline.duplicates) > 0:
        faults.append(Doubled(table="baseline_features", rows=again, first="in training"))
    if (again := measured.gross_exposure_pct.size) > 1:
        faults.append(Doubled(table="exposure", rows=again - 1, first=str(measured.session)))
    return tuple(each for each in faults if each.rows)


def lost_symbols(measured: Measurement) -> tuple[str, ...]:
    """Symbols of the session before that this one lacks; on the first session, those of the end of training."""
    if not measured.predictions.symbols.size:
        return ()
    before = measured.baseline.symbols if measured.previous_symbols is None else measured.previous_symbols
    return tuple(sorted(before - {str(name) for name in measured.predictions.symbols}))


def new_symbols(measured: Measurement) -> tuple[str, ...]:
    """Symbols that neither training nor any earlier session had, and those without features."""
    today = {str(name) for name in measured.predictions.symbols}
    unseen = today - measured.seen if measured.seen else set()
    features = measured.features
    if features.symbols is not None:
        of_today = {str(name) for name in features.symbols[_is_today(measured)]}
        unseen |= today - of_today if of_today else set()
    return tuple(sorted(unseen))


def added_symbols(measured: Measurement, outcomes: Outcomes) -> Figure:
    """The number of new symbols; unknown if nothing shows which ones are old."""
    new, figure = new_symbols(measured), _of_symbols(measured, outcomes)
    if not new and not figure.why and not measured.seen:
        why = "neither the training period nor an earlier session names a symbol"
        return replace(figure, why=why, is_young=not _lived_before(measured))
    detail = f"never seen before this session, or without a feature: {some(list(new))}" if new else ""
    return replace(figure, value=len(new), detail=detail)


def gone_symbols(measured: Measurement, outcomes: Outcomes) -> Figure:
    """How many symbols are no longer predicted."""
    lost = lost_symbols(measured)
    detail = f"no longer predicted: {some(list(lost))}" if lost else ""
    return replace(_of_symbols(measured, outcomes), value=len(lost), detail=detail)


def _of_symbols(measured: Measurement, outcomes: Outcomes) -> Figure:
    return Figure(n=outcomes.n, as_of=outcomes.as_of, why="" if outcomes.n else _nothing(measured, "prediction"))


def unjudged(measured: Measurement) -> dict[str, str]:
    """Features that cannot be compared with their past: with gaps, or lost."""
    return dict(_gaps(measured)) | {name: f"{name} is not journaled" for name in _lost_features(measured)}


def _lived_before(measured: Measurement) -> int:
    """How many sessions the release lived before this one."""
    return int((measured.expected < np.datetime64(measured.session, "D")).sum())


def drifts(measured: Measurement) -> tuple[Drift, ...]:
    """The drift of every feature; unknown if today's values are faulty."""
    features, gaps = measured.features, dict(_gaps(measured))
    n_sessions, results = np.unique(features.sessions).size, []
    for name in _known_features(measured):
        column, reference = features.columns.get(name), measured.baseline.columns.get(name)
        if column is None:
            results.append(Drift(feature=name, psi=None, n=0, why=f"{name} is not journaled"))
        elif reference is None:
            results.append(Drift(feature=name, psi=None, n=0, why=f"{name} is not in baseline_features.parquet"))
        elif name in gaps:
            n = int(np.isfinite(column).sum())
            results.append(Drift(feature=name, psi=None, n=n, why=gaps[name]))
        else:
            results.append(reference.drift(name, column, n_sessions))
    return tuple(results)


def psi(measured: Measurement) -> Figure:
    """The largest stability index of the features that drifted; unknown if any is."""
    drift = drifts(measured)
    significant = [each for each in drift if each.is_significant and each.psi is not None]
    worst = max((each for each in drift if each.psi is not None), key=_psi_of, default=None)
    value = max((_psi_of(each) for each in significant), default=None if worst is None else 0.0)
    unknown = [each for each in drift if each.psi is None]
    least = min(drift, key=lambda each: each.n, default=None)
    n, needed = (0, None) if least is None else (least.n, least.needed)
    return Figure(
        value=value,
        n=n,
        needed=needed,
        as_of=newest(measured.features.sessions),
        why=_drift_unknown(measured, drift, unknown),
        detail=_drift_detail(worst, bool(significant)),
        sure=None if _is_doubled(measured) else value,
        is_young=_is_young(measured, drift),
    )


def _drift_unknown(measured: Measurement, drift: tuple[Drift, ...], unknown: list[Drift]) -> str:
    if not drift:
        return "no drift could be measured: the training period has no feature"
    if (days := measured.features.sessions).size == 0:
        return f"no drift could be measured: {_nothing(measured, 'feature')}"
    if (last := as_date(days.max())) != measured.session:
        return f"stale: the newest features are of {last}"
    if (why := _no_sound_window(measured)) or not unknown:
        return why
    more = f" (and {len(unknown) - 1} more features)" if len(unknown) > 1 else ""
    return f"no drift could be measured: {unknown[0].why}{more}"


def _no_sound_window(measured: Measurement) -> str:
    if _is_doubled(measured):
        return "rows of the features occur more than once"
    if reference(measured).value:
        return "the reference for drift is another one than the release began with"
    return ""


def _is_young(measured: Measurement, drift: tuple[Drift, ...]) -> bool:
    """Whether only time is missing: every lived session has features, and rows are still too few."""
    sessions = np.unique(measured.features.sessions)
    waits = [each for each in drift if each.psi is None]
    return (
        0 < sessions.size < MOST_SESSIONS
        and as_date(sessions[-1]) == measured.session
        and measured.expected.size <= sessions.size
        and not _is_doubled(measured)
        and bool(waits)
        and all(each.is_waiting for each in waits)
    )


def _is_doubled(measured: Measurement) -> bool:
    return any(each.table in {"features", "baseline_features"} for each in doubled_rows(measured))


def _psi_of(drift: Drift) -> float:
    assert drift.psi is not None
    return drift.psi


def _drift_detail(worst: Drift | None, is_significant: bool) -> str:
    if worst is None:
        return ""
    text = f"largest raw PSI {worst.psi:.2f} on {worst.feature} (n {worst.n}; calm windows reach {worst.null_psi:.2f})"
    return text if is_significant else f"{text}, within what such windows showed in training"


def exposure(measured: Measurement) -> Figure:
    """The gross exposure, critical above the limit on record; without one, compared with earlier sessions."""
    values, limit = measured.gross_exposure_pct, GREATEST_EXPOSURE_PCT
    approved = measured.approved
    if approved is not None and approved.greatest_exposure_pct is not None:
        limit = approved.greatest_exposure_pct
    is_young = False
    if values.size > 1:
        why = f"{values.size} rows of {measured.session}, expected one"
    elif not values.size:
        why = _nothing(measured, "exposure")
    else:
        why = "" if np.isfinite(values[0]) else f"the exposure of {measured.session} is no number"
        why = why or ("" if values[0] >= 0 else f"the gross exposure of {measured.session} is below zero")
        if not why and approved is not None and approved.greatest_exposure_pct is None:
            why, is_young = _unbounded(float(values[0]), measured.earlier_exposures)
    value = float(values[0]) if values.size == 1 else None
    is_critical = value is not None and np.isfinite(value) and value > limit + ROUNDING_PCT
    whose = "that any dossier may state" if limit == GREATEST_EXPOSURE_PCT else "of the dossier"
    return Figure(
        value=value,
        n=values.size,
        needed=1,
        as_of=measured.session if values.size else None,
        why="" if is_critical else why,
        detail=f"critical above {limit:g}%, the limit {whose}",
        is_critical=is_critical,
        is_young=is_young,
    )


def _unbounded(value: float, earlier: Floats) -> tuple[str, bool]:
    """Why an exposure without a limit on record is unknown, and whether it only waits for more sessions."""
    usual = range_of(earlier)
    if usual is None:
        n = int(np.isfinite(earlier).sum())
        return f"no limit is on record, nor enough sessions to hold it against: {too_few(n, MIN_SESSIONS)}", True
    if beyond(LEVEL, value, usual, 1):
        seen = f"{usual.least:.4g}% to {usual.most:.4g}% in {usual.n} sessions before"
        return f"no limit is on record, and {value:.4g}% is far from {seen}", False
    return "", False


def reference(measured: Measurement) -> Figure:
    """Whether the drift reference is the one that this release, or a later one, began with."""
    now, approved = measured.baseline.pinned, measured.approved
    pinned = None if approved is None else approved.pinned
    figure = Figure(value=0, n=len(measured.baseline.columns), needed=1, as_of=measured.session)
    if now is None or pinned is None or approved is None or now in (pinned, *approved.later):
        return figure
    lost = [name for name in pinned.features if name not in now.features]
    new = [name for name in now.features if name not in pinned.features]
    texts = [f"without {some(lost)}" if lost else "", f"with {some(new)}" if new else ""]
    how = " and ".join(text for text in texts if text) or "with the same features and other values"
    detail = (
        f"baseline_features.parquet is not the file that the release began with (SHA-256 {pinned.sha256[:12]}, found "
        f"{now.sha256[:12]}), {how}. Put that file back"
    )
    return replace(figure, value=1, detail=detail)


def future_rows(measured: Measurement) -> Figure:
    """How many rows are dated after the moment of reading."""
    texts = [f"{each.table}: {each.rows} row(s), up to {each.newest}" for each in measured.ahead]
    detail = f"dated after the moment of reading: {some(texts)}" if texts else ""
    return replace(_of_rows(measured), value=sum(each.rows for each in measured.ahead), detail=detail)


def doubled(measured: Measurement, outcomes: Outcomes) -> Figure:
    """The number of duplicated rows."""
    faults = doubled_rows(measured)
    n = measured.live.dates.size + measured.history.dates.size + outcomes.n + measured.features.timestamps.size
    detail = "; ".join(f"{each.table}: {each.rows} row(s) again, first {each.first}" for each in faults)
    return Figure(value=sum(each.rows for each in faults), n=n, as_of=measured.session, detail=detail)


def unordered(measured: Measurement) -> Figure:
    """The number of rows earlier than the row before."""
    champion = () if measured.champion is None else (measured.champion,)
    faults = [(table.name, _steps_back(table.dates)) for table in (measured.history, measured.live, *champion)]
    faults += [
        ("predictions", _steps_back(measured.predictions.timestamps)),
        ("features", _steps_back(measured.features.timestamps)),
    ]
    texts = [f"{name}: {text}" for name, (count, text) in faults if count]
    detail = f"{'; '.join(texts)}. Journal rows in the order of their time" if texts else ""
    return replace(_of_rows(measured), value=sum(count for _, (count, _) in faults), detail=detail)


def _of_rows(measured: Measurement) -> Figure:
    return Figure(n=measured.live.dates.size + measured.predictions.timestamps.size, as_of=measured.session)


def missing_features(measured: Measurement) -> Figure:
    """How many features are not journaled, or have no reference."""
    names, lost = _known_features(measured), _lost_features(measured)
    unreferenced = [name for name in names if name not in measured.baseline.columns and name not in lost]
    texts = [f"not journaled: {some(lost)}"] if lost else []
    texts += [f"without a reference in baseline_features.parquet: {some(unreferenced)}"] if unreferenced else []
    is_registered = measured.approved is not None and measured.approved.features
    whose = "the registered version" if is_registered else "the training period"
    detail = f"of {len(names)} features of {whose} {'; '.join(texts)}" if texts else ""
    why = "" if names else "the training period has no feature"
    return Figure(value=len(lost) + len(unreferenced), n=len(names), needed=1, why=why, detail=detail)


def _known_features(measured: Measurement) -> list[str]:
    """The approved features, those of the reference at the start, and those of training."""
    approved = measured.approved
    pinned = () if approved is None or approved.pinned is None else approved.pinned.features
    registered = () if approved is None else approved.features
    return list(dict.fromkeys((*registered, *pinned, *measured.baseline.columns)))


def _lost_features(measured: Measurement) -> list[str]:
    return [name for name in _known_features(measured) if name not in measured.features.columns]


def feature_gaps(measured: Measurement) -> Figure:
    """The number of features with more gaps than in training."""
    n, texts = int(_is_today(measured).sum()), list(_gaps(measured))
    why, at = "" if n else _nothing(measured, "feature"), newest(measured.features.sessions)
    return Figure(value=len(texts), n=n, needed=1, as_of=at, why=why, detail=some([text for _, text in texts]))


def _gaps(measured: Measurement) -> Iterator[tuple[str, str]]:
    """Features of the session with more missing values than in training, or with an infinite one."""
    is_today = _is_today(measured)
    if not is_today.any():
        return
    for name, column in measured.features.columns.items():
        reference = measured.baseline.columns.get(name)
        today: Floats = column[is_today]
        missing, infinite = int((~np.isfinite(today)).sum()), int(np.isinf(today).sum())
        if not missing:
            continue
        usual = 0.0 if reference is None else reference.gap_limit
        share = missing / today.size
        if infinite or share > usual:
            yield (
                name,
                (
                    f"{name}: {100 * share:.0f}% of {today.size} values are null, NaN or infinite, "
                    f"at most {100 * usual:.0f}% were in training"
                ),
            )


def _is_today(measured: Measurement) -> NDArray[np.bool_]:
    return np.asarray(measured.features.sessions == np.datetime64(measured.session, "D"), dtype=np.bool_)


def _nothing(measured: Measurement, what: str) -> str:
    return f"no {what} is journaled for {measured.session}"


def _doubled_days(name: str, dates: Days) -> Doubled:
    days, counts = np.unique(dates, return_counts=True)
    first = str(days[counts > 1][0]) if (counts > 1).any() else ""
    return Doubled(table=name, rows=int(dates.size - days.size), first=first)


def _doubled_rows(name: str, at: Instants, symbols: Symbols, apart: float) -> Doubled:
    order = np.lexsort((at, symbols))
    bar = bars(at, symbols, apart)[order]
    again = order[1:][bar[1:] == bar[:-1]]
    first = min(again, key=lambda row: (str(symbols[row]), at[row]), default=None)
    text = "" if first is None else f"{symbols[first]} at {at[first].astype('datetime64[us]')} UTC"
    return Doubled(table=name, rows=int(again.size), first=text)


def _steps_back(at: NDArray[np.datetime64]) -> tuple[int, str]:
    """The number of rows earlier than the row before, and the first of them."""
    back = np.flatnonzero(at[1:] < at[:-1])
    return int(back.size), f"{at[back[0] + 1]} comes after {at[back[0]]}" if back.size else ""
