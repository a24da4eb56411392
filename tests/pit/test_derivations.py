"""The audits against slow searches that share no code with them, on small random cases; and what must not matter."""

from datetime import UTC, datetime, timedelta
from math import inf

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.pit import purge, restatements, skew, survivorship

START, DAY = datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=1)
SYMBOLS = "ABCD"
seeds = st.integers(0, 2**32 - 1)


def day(number):
    return START + int(number) * DAY


def rows(triples, *columns):
    return pl.DataFrame(list(triples), schema=list(columns), orient="row", infer_schema_length=None)


def by_kind(report):
    return {(finding.feature, finding.kind): finding for finding in report}


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_survivorship_is_what_a_walk_over_every_date_and_name_finds(seed):
    rng = np.random.default_rng(seed)
    warm_up, grace = (int(n) for n in rng.integers(0, 3, 2))
    spans = {name: sorted(int(n) for n in rng.integers(0, 14, 2)) for name in SYMBOLS}
    is_listed_still = {name: bool(rng.random() < 0.3) for name in SYMBOLS}
    traded = {name: sorted({int(n) for n in rng.integers(0, 14, rng.integers(0, 12))}) for name in "ABCDX"}
    traded["A"] = traded["A"] or [0]
    membership = rows(
        ((name, day(a), None if is_listed_still[name] else day(b)) for name, (a, b) in spans.items()),
        "symbol",
        "listed_from",
        "listed_until",
    ).cast({"listed_until": pl.Datetime("us", "UTC")})

    found = by_kind(
        survivorship(
            membership,
            rows(((day(n), name) for name, days in traded.items() for n in days), "timestamp", "symbol"),
            warm_up=warm_up,
            grace=grace,
        )
    )

    calendar = sorted({n for days in traded.values() for n in days})
    listed = {
        name: [n for n in calendar if a <= n and (is_listed_still[name] or n <= b)] for name, (a, b) in spans.items()
    }
    missing = {}
    for name, dates in listed.items():
        present = [n for n in traded[name] if n in dates]
        due = dates[warm_up : len(dates) - grace]
        missing[name] = [n for n in due if not present or n < present[0] or n > present[-1]]
    absent = {name: dates for name, dates in missing.items() if dates}
    early = {name: [n for n in traded[name] if n not in listed[name]] for name in SYMBOLS}
    early = {name: dates for name, dates in early.items() if dates}

    expected = {}
    if absent:
        first = min(min(dates) for dates in absent.values())
        share = max(
            sum(n in dates for dates in absent.values()) / max(1, sum(n in dates for dates in listed.values()))
            for n in calendar
        )
        expected["universe", "survivorship"] = (day(first), share, len(absent), sum(map(bool, listed.values())))
    names = sum(map(bool, traded.values()))
    if early:
        share = max(
            sum(n in dates for dates in early.values()) / sum(n in days for days in traded.values()) for n in calendar
        )
        expected["universe", "unlisted"] = (day(min(min(d) for d in early.values())), share, len(early), names)
    if traded["X"]:
        expected["universe", "unverified"] = (day(traded["X"][0]), inf, 1, names)
    assert {key: (f.first_date, f.size, f.n, f.of) for key, f in found.items()} == expected


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_restatements_are_what_a_search_through_the_vintages_of_each_row_finds(seed):
    rng = np.random.default_rng(seed)
    published = {
        (about, name): sorted({int(n): float(rng.integers(0, 4)) for n in rng.integers(about, 12, 3)}.items())
        for about in range(4)
        for name in "AB"
        if rng.random() < 0.8
    }
    read = [
        (about, name, int(rng.integers(about, 12)), float(rng.integers(0, 4)) if rng.random() < 0.9 else None)
        for about in range(4)
        for name in "AB"
    ]
    published.setdefault((9, "B"), [(9, 1.0)])
    columns = ("timestamp", "symbol", "available_at", "x")
    first_print = rows(
        ((day(a), s, day(k), x) for (a, s), vintages in published.items() for k, x in vintages), *columns
    )
    revised = rows(((day(a), s, day(k), x) for a, s, k, x in read), *columns).cast({"x": pl.Float64})

    found = by_kind(restatements({"f": first_print}, {"f": revised}))

    shown = {"restatement": [], "knowledge_time": [], "unverified": []}
    for about, name, taken, value in read:
        vintages = published.get((about, name), [])
        known = [x for k, x in vintages if k <= taken]
        if not vintages or not known:
            if value is not None:
                shown["knowledge_time" if vintages else "unverified"].append((about, inf))
        elif value not in known:
            shown["restatement"].append((about, inf if value is None else abs(value - known[-1])))
    expected = {
        ("f.x", kind): (day(min(a for a, _ in found)), max(size for _, size in found), len(found), len(read))
        for kind, found in shown.items()
        if found
    }
    assert {key: (f.first_date, f.size, f.n, f.of) for key, f in found.items()} == expected


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_skew_is_what_a_look_at_every_row_finds_and_turns_round_with_its_sides(seed):
    rng = np.random.default_rng(seed)

    def drawn():
        keys = [(n, name) for n in range(4) for name in "AB" if rng.random() < 0.8] or [(0, "A")]
        rng.shuffle(keys)
        return {(int(n), str(s)): [None, np.nan, 1.0, 2.0, 5.0][rng.integers(5)] for n, s in keys}

    left, right = drawn(), drawn()
    frames = [
        rows(((day(n), s, x) for (n, s), x in side.items()), "timestamp", "symbol", "x").cast({"x": pl.Float64})
        for side in (left, right)
    ]

    found, turned = (skew(*sides) for sides in (frames, frames[::-1]))

    shared = sorted(left.keys() & right.keys())
    sizes = []
    for key in shared:
        one, other = (None if side[key] is None or np.isnan(side[key]) else side[key] for side in (left, right))
        if one != other:
            sizes.append((key[0], inf if one is None or other is None else abs(one - other)))
    mismatches = [(f.first_date, f.size, f.n, f.of) for f in found if f.kind == "skew"]
    assert mismatches == ([(day(sizes[0][0]), max(s for _, s in sizes), len(sizes), len(shared))] if sizes else [])
    assert mismatches == [(f.first_date, f.size, f.n, f.of) for f in turned if f.kind == "skew"]
    assert sorted(f.n for f in found if f.kind == "missing") == sorted(
        n for n in (len(left.keys() - right.keys()), len(right.keys() - left.keys())) if n
    )


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_the_order_of_rows_and_windows_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    starts, lengths = rng.integers(0, 30, 20), rng.integers(0, 5, 20)
    training = pl.DataFrame({"timestamp": map(day, starts), "label_end": map(day, starts + lengths)})
    opens = rng.integers(0, 30, 3)
    tests = pl.DataFrame({"start": map(day, opens), "end": map(day, opens + 2), "embargo": [2 * DAY] * 3})

    shuffled = [frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (training, tests)]

    assert purge(*shuffled) == purge(training, tests)
