"""The last look before an order leaves."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import shadowing

from signoff.desk.gate import OrderGate
from signoff.domain.dossier import PositionLimits, Restrictions
from signoff.domain.flags import Flags, Share
from signoff.domain.flags_of_releases import flags
from signoff.domain.limits import NO_EVENT, Book, Order, reduces_risk, refusals
from signoff.domain.policy import OrderGatePolicy, UnknownEvent

TODAY = date(2019, 1, 15)
FAR = date(2019, 3, 15)
LIMITS = PositionLimits(max_portfolio_weight_pct=100.0, max_single_position_pct=10.0, max_sector_pct=25.0)
RESTRICTIONS = Restrictions(min_adv_usd=5e6, excluded_symbols=("GE",), event_window_days=2, halt_if_vix_above=40.0)
LIVE = Flags(
    model="m", revision=5, state="full", version="2", candidate=None, enabled=True, allocation_pct=100,
    shadow_mode=False, kill_count=0,
)  # fmt: skip


def share(version, state, pct):
    is_shadow = state == "shadow"
    return Share(version=version, state=state, enabled=is_shadow or pct > 0, allocation_pct=pct, shadow_mode=is_shadow)


def of(*shares, **changes):
    """The flags of a model with a champion 1 and a candidate 2."""
    told = {"version": "1", "candidate": "2", "enabled": False, "allocation_pct": 0, "versions": shares}
    return replace(LIVE, **(told | changes))


LIMITED = of(share("1", "full", 90), share("2", "limited", 10), state="limited")
SHADOW = of(share("1", "full", 100), share("2", "shadow", 0), state="shadow")
TRADED = ("AAPL", "JPM", "MSFT", "GE", "A", "B", "C", *(f"S{n}" for n in range(20)))
NAN, INF = float("nan"), float("inf")


def book(**changes):
    """A book in which everything is known; a change of a mapping is laid over it."""
    known = {
        "weights_pct": {},
        "sectors": {symbol: f"sector of {symbol}" for symbol in TRADED},
        "adv_usd": dict.fromkeys(TRADED, 1e9),
        "events": dict.fromkeys(TRADED, FAR),
    }
    laid = {key: {**known[key], **changes.get(key, {})} for key in known}
    return Book(**laid, vix=changes.get("vix", 20.0), as_of=changes.get("as_of", {}))


def without(given, kind, symbol="AAPL"):
    """The same book with one figure not in it."""
    if kind == "vix":
        return replace(given, vix=None)
    return replace(given, **{kind: {key: value for key, value in getattr(given, kind).items() if key != symbol}})


def buy(symbol="AAPL", pct=4.0, flags_revision=5, version="2"):
    return Order(
        client_order_id=f"m-{symbol}",
        symbol=symbol,
        weight_change_pct=pct,
        flags_revision=flags_revision,
        version=version,
    )


def reasons(order=None, held=None, read=LIVE, **rules):
    asked = {"limits": LIMITS, "restrictions": RESTRICTIONS, **rules}
    return refusals(order or buy(), held or book(), flags=read, today=TODAY, **asked)


def gate(**rules):
    return OrderGate(**{"limits": LIMITS, "restrictions": RESTRICTIONS, **rules})


def test_an_order_within_every_limit_leaves():
    assert reasons() == ()


@pytest.mark.parametrize(
    ("order", "held", "word"),
    [
        (buy(pct=10.1), book(), "limit 10%"),
        (buy(), book(weights_pct={"JPM": 97.0}), "gross exposure"),
        (buy(), book(weights_pct={"MSFT": 22.0}, sectors={"AAPL": "IT", "MSFT": "IT"}), "sector IT"),
        (buy("GE"), book(), "excluded"),
        (buy(), book(adv_usd={"AAPL": 1e6}), "floor"),
        (buy(), book(events={"AAPL": date(2019, 1, 17)}), "event"),
        (buy(), book(events={"AAPL": datetime(2019, 1, 13, 21, 0, tzinfo=UTC)}), "event"),
        (buy(), book(vix=41.0), "VIX"),
        (buy(flags_revision=4), book(), "revision 4"),
        (buy(pct=NAN), book(), "limit 10%"),
        (buy(pct=INF), book(), "limit 10%"),
        (buy(), book(weights_pct={"JPM": NAN}), "gross exposure"),
        (buy(), book(weights_pct={"JPM": None}), "gross exposure"),
        (buy(), book(weights_pct={"AAPL": NAN}), "the position in AAPL is unknown"),
        (buy(), book(weights_pct={"MSFT": NAN}, sectors={"AAPL": "IT", "MSFT": "IT"}), "sector IT"),
    ],
)
def test_every_restriction_of_the_memo_is_enforced(order, held, word):
    assert any(word in reason for reason in reasons(order, held))


@pytest.mark.parametrize("later", [6, 7, 500, 2**53, 5.5, np.int64(6)])
def test_an_order_made_on_flags_that_the_gate_has_not_read_adds_no_risk(later):
    (reason,) = reasons(buy(flags_revision=later))
    assert f"made on flags revision {later}, later than the 5 that this gate knows" in reason
    admitted, refused = gate().admit([buy(flags_revision=later)], book(), flags=LIVE, today=TODAY)
    assert (admitted, len(refused)) == ((), 1)


@pytest.mark.parametrize("later", [6, 500, float("inf")])
@pytest.mark.parametrize(("held", "change"), [(9.0, -4.0), (9.0, -9.0), (-9.0, 4.0)])
def test_an_order_that_reduces_risk_leaves_on_whatever_flags_it_was_made(later, held, change):
    given = book(weights_pct={"AAPL": held})
    admitted, refused = gate().admit([buy(pct=change, flags_revision=later)], given, flags=LIVE, today=TODAY)
    assert (len(admitted), refused) == (1, ())


class TestUnknownFigures:
    """What is unknown is within no limit."""

    @pytest.mark.parametrize("kind", ["adv_usd", "events", "sectors", "vix"])
    def test_a_figure_that_is_absent_refuses_an_order_that_adds_risk(self, kind):
        (reason,) = reasons(held=without(book(), kind))
        assert "unknown" in reason

    def test_an_empty_book_refuses_for_each_unknown_figure(self):
        found = reasons(held=Book())
        assert [next(w for w in ("sector", "volume", "event", "VIX") if w in reason) for reason in found] == [
            "sector",
            "volume",
            "event",
            "VIX",
        ]

    @pytest.mark.parametrize("said", [None, NAN, INF, -INF, "1e9", True, pd.NA])
    def test_a_volume_that_is_no_number_is_unknown(self, said):
        assert any("volume of AAPL is unknown" in reason for reason in reasons(held=book(adv_usd={"AAPL": said})))

    @pytest.mark.parametrize("said", [None, NAN, INF, -INF, 0.0, -1.0, "20", pd.NA])
    def test_a_volatility_index_that_is_no_level_is_unknown(self, said):
        (reason,) = reasons(held=book(vix=said))
        assert reason == "VIX is unknown, and trading halts above 40"

    @pytest.mark.parametrize("said", [None, NAN, pd.NaT, "2019-03-15", "", 0])
    def test_an_event_that_is_no_day_is_unknown(self, said):
        (reason,) = reasons(held=book(events={"AAPL": said}))
        assert reason == "the event date of AAPL is unknown, and the event window is ±2 days"

    @pytest.mark.parametrize("said", [None, NAN, "", "  ", 7])
    def test_a_sector_that_is_no_name_is_unknown(self, said):
        (reason,) = reasons(held=book(sectors={"AAPL": said}))
        assert reason == "the sector of AAPL is unknown, and the sector limit is 25%"

    def test_a_symbol_known_to_have_no_event_may_be_bought(self):
        assert reasons(held=book(events={"AAPL": NO_EVENT})) == ()

    def test_a_holding_of_unknown_sector_counts_in_every_sector(self):
        held = without(book(weights_pct={"MSFT": 22.0}), "sectors", "MSFT")
        (reason,) = reasons(held=held)
        assert "26.00%, limit 25%, with MSFT, whose sector is unknown, counted in it" in reason
        assert reasons(buy(pct=3.0), held) == ()

    def test_a_limit_that_the_dossier_does_not_set_needs_no_figure(self):
        none = Restrictions(min_adv_usd=0.0, halt_if_vix_above=None)
        held = without(without(book(), "vix"), "adv_usd")
        assert reasons(held=held, restrictions=none) == ()

    @pytest.mark.parametrize("kind", ["adv_usd", "events", "sectors", "vix"])
    @pytest.mark.parametrize("day", [None, TODAY - timedelta(days=6), TODAY + timedelta(days=1)])
    def test_a_figure_older_than_the_policy_lets_it_be_is_unknown(self, kind, day):
        policy = OrderGatePolicy(max_age_days=5)
        fresh = dict.fromkeys(("adv_usd", "events", "sectors", "vix"), TODAY - timedelta(days=5))
        assert reasons(held=book(as_of=fresh), unknown=policy) == ()
        (reason,) = reasons(held=book(as_of=fresh | {kind: day}), unknown=policy)
        assert ("stale" if day else "unknown in age") in reason


class TestSubstitutes:
    """The policy may name what is taken for an unknown figure, and every judgement on it says so."""

    POLICY = OrderGatePolicy(
        unknown_adv_usd=2e7, unknown_vix=20.0, unknown_event=UnknownEvent.ASSUME_NONE, unknown_sector="Other"
    )

    def test_an_admission_that_rests_on_substitutes_names_each(self):
        (order,), refused = gate(unknown=self.POLICY).admit([buy()], Book(), flags=LIVE, today=TODAY)
        assert (order, refused) == (buy(), ())
        assert order.assumed == (
            "the unknown sector of AAPL is taken as Other, by policy",
            "the unknown ADV of AAPL is taken as $20,000,000, by policy",
            "the unknown event date of AAPL is taken as none scheduled, by policy",
            "the unknown VIX is taken as 20, by policy",
        )

    def test_a_refusal_that_rests_on_a_substitute_says_so(self):
        policy = replace(self.POLICY, unknown_adv_usd=1e6)
        admitted, (refusal,) = gate(unknown=policy).admit([buy()], Book(), flags=LIVE, today=TODAY)
        assert admitted == ()
        assert refusal.reasons[0] == "AAPL trades $1,000,000 a day, floor $5,000,000"
        assert "the unknown ADV of AAPL is taken as $1,000,000, by policy" in refusal.reasons[-1]

    def test_a_figure_that_is_known_needs_no_substitute(self):
        (order,), _ = gate(unknown=self.POLICY).admit([buy()], book(), flags=LIVE, today=TODAY)
        assert order.assumed == ()

    def test_each_substitute_stands_for_its_own_figure_alone(self):
        found = reasons(held=Book(), unknown=OrderGatePolicy(unknown_vix=20.0))
        assert not any(reason.startswith("VIX") for reason in found)
        assert any("sector" in reason for reason in found)

    def test_without_a_policy_there_is_no_substitute(self):
        assert OrderGatePolicy().substitutes == ()
        assert OrderGatePolicy().words == (
            "an order that adds risk is refused while its ADV or VIX or event date or sector is unknown"
        )

    def test_the_words_of_a_policy_name_each_substitute(self):
        assert "unknown ADV is taken as $20,000,000, by policy" in self.POLICY.words


class TestVersions:
    """Whose order it is: the flags say which versions trade."""

    def test_an_order_without_a_version_is_told_what_it_lacks(self):
        (reason,) = reasons(replace(buy(), version=""))
        assert reason == "the order names no version; expected Order.version, the model version that made it"

    def test_a_candidate_in_shadow_trades_nothing_and_the_champion_beside_it_does(self):
        (reason, *_) = reasons(buy(version="2"), read=SHADOW)
        assert reason == "v2 of m is in shadow mode: predictions are logged, not traded"
        assert reasons(buy(version="1"), read=SHADOW) == ()

    def test_the_champion_has_what_the_candidate_is_not_allocated(self):
        held = book(weights_pct={f"S{n}": 6.0 for n in range(15)})
        (reason,) = reasons(buy(version="1"), held, LIMITED)
        assert reason == "gross exposure would be 94.00%, limit 90%, which is 90% allocated"

    def test_the_champion_trades_what_its_own_share_says_and_not_what_a_candidate_leaves(self):
        cut = of(share("1", "full", 30), share("2", "limited", 10), state="limited")
        held = book(weights_pct={f"S{n}": 6.0 for n in range(5)})
        (reason,) = reasons(buy(version="1"), held, cut)
        assert reason == "gross exposure would be 34.00%, limit 30%, which is 30% allocated"

    @pytest.mark.parametrize("version", ["1", "2"])
    def test_each_order_is_judged_by_the_flags_of_its_own_version_whichever_version_they_were_read_for(self, version):
        for view in (LIMITED, LIMITED.for_version("1"), LIMITED.for_version("2"), LIMITED.for_version("9")):
            assert reasons(buy(version=version), read=view) == ()
            assert any("may not trade" in reason for reason in reasons(buy(version="9"), read=view))

    def test_a_version_that_silence_cut_to_nothing_is_refused_with_the_reason_beside_one_that_trades(self):
        silent = replace(share("2", "limited", 0), reason="capital cut to 0% after 5 sessions without conclusive data")
        told = of(share("1", "full", 100), silent, state="limited")
        (reason,) = reasons(buy(version="2"), read=told)
        assert reason == f"v2 of m is allocated 0% (state limited): {silent.reason}"
        assert reasons(buy(version="1"), read=told) == ()

    def test_a_version_that_the_flags_list_as_taken_back_is_refused_with_its_state(self):
        told = of(share("1", "full", 100), share("2", "rolled_back", 0), candidate=None)
        (reason,) = reasons(buy(version="2"), read=told)
        assert reason == "v2 of m may not trade: on record it is rolled back, and the flags name champion v1"

    def test_closed_flags_let_no_version_add_risk(self):
        closed = replace(LIVE, state="closed", enabled=False, allocation_pct=0)
        (reason,) = reasons(read=closed)
        assert reason == "m is not enabled (state closed)"

    @pytest.mark.parametrize(
        ("version", "word"),
        [
            ("0", "on record it is rolled back, and the flags name champion v2"),
            ("1", "on record it is superseded"),
            ("3", "on record it is awaiting approval"),
            ("9", "unknown version: no release of it is on record"),
            ("v2", "unknown version"),
        ],
    )
    def test_a_version_that_may_not_trade_is_refused_with_the_reason(self, version, word):
        releases = {"0": "rolled_back", "1": "superseded", "2": "full", "3": "awaiting_approval"}
        admitted, (refusal,) = gate(releases=releases).admit([buy(version=version)], book(), flags=LIVE, today=TODAY)
        assert admitted == ()
        assert word in refusal.reasons[0]

    def test_without_the_record_the_reason_is_what_the_flags_say(self):
        (reason,) = reasons(buy(version="1"))
        assert reason.startswith("v1 of m may not trade: the flags name champion v2")

    def test_nothing_is_traded_where_the_only_version_is_in_shadow(self):
        assert any("shadow" in reason for reason in reasons(read=flags("m", [shadowing()], None)))

    def test_a_model_that_is_off_lets_no_version_add_risk(self):
        found = reasons(read=flags("m", [], None))
        assert any("not enabled" in reason for reason in found)
        assert any("no version" in reason for reason in found)


class TestWaysOut:
    """An order that reduces risk always leaves."""

    def test_whatever_the_record_and_the_market_say(self):
        held = Book(weights_pct={"GE": 50.0}, vix=80.0)
        assert reasons(buy("GE", pct=-20.0, flags_revision=0, version=""), held, flags("m", [], None)) == ()

    def test_whatever_is_no_number_elsewhere(self):
        held = Book(weights_pct={"GE": 50.0, "JPM": NAN}, adv_usd={"GE": NAN}, vix=NAN)
        assert reasons(buy("GE", pct=-20.0, flags_revision=0), held) == ()

    def test_what_was_bought_at_full_allocation_can_be_sold_at_a_lower_one(self):
        assert reasons(buy(pct=-4.0), book(weights_pct={"AAPL": 9.0, "JPM": 60.0}), LIMITED) == ()

    @pytest.mark.parametrize(("held", "change"), [(50.0, -60.0), (50.0, -99.0), (-5.0, 5.5), (1e-3, -1.5e-3)])
    def test_through_zero_is_no_way_out_however_small(self, held, change):
        assert reasons(buy(pct=change), Book(weights_pct={"AAPL": held})) != ()

    @pytest.mark.parametrize(("held", "change"), [(-5.0, 5.0), (-5.0, 4.0), (0.3, -0.1 - 0.2)])
    def test_to_zero_is_one_also_where_binary_rounding_passes_it(self, held, change):
        assert reasons(buy(pct=change, version=""), Book(weights_pct={"AAPL": held})) == ()

    def test_a_short_that_grows_adds_risk(self):
        assert reasons(buy(pct=-1.0), Book(weights_pct={"AAPL": -5.0})) != ()


def test_a_limited_release_trades_no_more_than_it_is_allocated():
    held = book(weights_pct={"JPM": 6.0})
    assert reasons(buy(pct=4.0), held, LIMITED) == ()
    (reason,) = reasons(buy(pct=4.1), held, LIMITED)
    assert reason == "gross exposure would be 10.10%, limit 10%, which is 10% allocated"


def test_the_whole_allocation_can_be_traded_in_equal_parts():
    admitted, refused = gate().admit(
        [buy(f"S{n}", pct=10 * 0.05) for n in range(20)], book(), flags=LIMITED, today=TODAY
    )
    assert (len(admitted), refused) == (20, ())
    assert reasons(buy(pct=0.01), book(weights_pct={f"S{n}": 0.5 for n in range(20)}), LIMITED) != ()


def test_orders_admitted_earlier_count_against_the_limits_of_later_ones():
    orders = [buy(s, pct=9.0) for s in ("A", "B", "C")]
    held = book(sectors=dict.fromkeys("ABC", "one"))
    admitted, refused = gate().admit(orders, held, flags=LIVE, today=TODAY)
    assert [o.symbol for o in admitted] == ["A", "B"]
    assert refused[0].order.symbol == "C"


symbols = st.sampled_from(["AAPL", "JPM", "MSFT", "GE"])
weights = st.dictionaries(symbols, st.one_of(st.floats(-30, 30), st.none(), st.just(NAN)))
books = st.builds(
    Book,
    weights_pct=weights,
    sectors=st.dictionaries(symbols, st.sampled_from(["IT", "Banks", "", None])),
    adv_usd=st.dictionaries(symbols, st.sampled_from([1e5, 1e9, NAN, None])),
    events=st.dictionaries(symbols, st.sampled_from([TODAY, FAR, NO_EVENT, None])),
    vix=st.sampled_from([None, NAN, 0.0, 15.0, 80.0]),
    as_of=st.dictionaries(
        st.sampled_from(["adv_usd", "events", "sectors", "vix"]), st.sampled_from([TODAY, date(2018, 1, 1)])
    ),
)
orders = st.builds(buy, symbols, st.one_of(st.floats(-60, 60), st.just(NAN)), version=st.sampled_from(["2", "1", ""]))


@settings(max_examples=400, deadline=None)
@given(orders, books, st.sampled_from([None, 5]), st.sampled_from([LIVE, LIMITED, SHADOW]), st.data())
def test_removing_a_figure_never_admits_what_adds_risk_nor_refuses_what_reduces_it(order, held, age, read, data):
    policy = OrderGatePolicy(max_age_days=age)
    before = reasons(order, held, read, unknown=policy)
    kind = data.draw(st.sampled_from(["sectors", "adv_usd", "events", "as_of", "vix"]))
    there = [] if kind == "vix" else sorted(getattr(held, kind))
    less = without(held, kind, data.draw(st.sampled_from(there)) if there else "")
    after = reasons(order, less, read, unknown=policy)
    if reduces_risk(order, held):
        assert before == after == ()
    elif before:
        assert after


def test_the_gate_counts_with_finite_weights_alone():
    assert not reduces_risk(buy(pct=-1.0), Book(weights_pct={"AAPL": math.inf}))


@pytest.mark.parametrize("odd", [{"flags_revision": None}, {"flags_revision": "5"}, {"weight_change_pct": Decimal(-1)}])
def test_an_order_that_is_oddly_written_holds_back_no_way_out(odd):
    held = book(weights_pct={"AAPL": 5.0, "JPM": Decimal(5), None: None})
    usual = {"client_order_id": "1", "symbol": "MSFT", "weight_change_pct": 1.0, "flags_revision": 5, "version": "2"}
    first = Order(**usual | odd)
    out = [
        Order(client_order_id=symbol, symbol=symbol, weight_change_pct=-2.0, flags_revision=5)
        for symbol in ("AAPL", "JPM")
    ]
    admitted, refused = gate().admit([first, *out], held, flags=LIVE, today=datetime(2019, 1, 15, tzinfo=UTC))
    assert (admitted, [each.order for each in refused]) == (tuple(out), [first])


def test_a_way_out_may_be_written_as_a_decimal():
    sold = Order(client_order_id="1", symbol="AAPL", weight_change_pct=Decimal(-2), flags_revision=5)
    off = replace(LIVE, enabled=False)
    admitted, refused = gate().admit([sold, sold, sold], book(weights_pct={"AAPL": 5.0}), flags=off, today=TODAY)
    assert (admitted, len(refused)) == ((sold, sold), 1)
