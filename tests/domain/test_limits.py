"""The last look before an order leaves."""

from dataclasses import replace
from datetime import date

import pytest
from worlds import shadowing

from signoff.desk.gate import OrderGate
from signoff.domain.dossier import PositionLimits, Restrictions
from signoff.domain.flags import Flags, flags
from signoff.domain.limits import Book, Order, refusals

TODAY = date(2019, 1, 15)
LIMITS = PositionLimits(max_portfolio_weight_pct=100.0, max_single_position_pct=10.0, max_sector_pct=25.0)
RESTRICTIONS = Restrictions(min_adv_usd=5e6, excluded_symbols=("GE",), event_window_days=2, halt_if_vix_above=40.0)
LIVE = Flags(
    model="m", revision=5, state="full", version="2", candidate=None, enabled=True, allocation_pct=100,
    shadow_mode=False, epoch=0,
)  # fmt: skip
LIMITED = replace(LIVE, state="limited", version="1", candidate="2", allocation_pct=10)


def reasons(order=None, book=None, read=LIVE):
    order = order or Order(client_order_id="m-1", symbol="AAPL", weight_change_pct=4.0, epoch=5)
    return refusals(order, book or Book(), flags=read, limits=LIMITS, restrictions=RESTRICTIONS, today=TODAY)


def buy(symbol="AAPL", pct=4.0, epoch=5):
    return Order(client_order_id=f"m-{symbol}", symbol=symbol, weight_change_pct=pct, epoch=epoch)


def test_an_order_within_every_limit_leaves():
    assert reasons() == ()


@pytest.mark.parametrize(
    ("order", "book", "word"),
    [
        (buy(pct=10.1), Book(), "limit 10%"),
        (buy(), Book(weights_pct={"JPM": 97.0}), "gross exposure"),
        (buy(), Book(weights_pct={"MSFT": 22.0}, sectors={"AAPL": "IT", "MSFT": "IT"}), "sector IT"),
        (buy("GE"), Book(), "excluded"),
        (buy(), Book(adv_usd={"AAPL": 1e6}), "floor"),
        (buy(), Book(adv_usd={"JPM": 1e9}), "unknown"),
        (buy(), Book(events={"AAPL": date(2019, 1, 17)}), "event"),
        (buy(), Book(vix=41.0), "VIX"),
        (buy(epoch=4), Book(), "revision 4"),
        (buy(pct=float("nan")), Book(), "limit 10%"),
        (buy(pct=float("inf")), Book(), "limit 10%"),
        (buy(), Book(weights_pct={"JPM": float("nan")}), "gross exposure"),
        (buy(), Book(weights_pct={"MSFT": float("nan")}, sectors={"AAPL": "IT", "MSFT": "IT"}), "sector IT"),
        (buy(), Book(adv_usd={"AAPL": float("nan")}), "floor"),
        (buy(), Book(vix=float("nan")), "VIX"),
    ],
)
def test_every_restriction_of_the_memo_is_enforced(order, book, word):
    assert any(word in reason for reason in reasons(order, book))


def test_a_limited_release_trades_no_more_than_it_is_allocated():
    book = Book(weights_pct={"JPM": 6.0})
    assert reasons(buy(pct=4.0), book, LIMITED) == ()
    (reason,) = reasons(buy(pct=4.1), book, LIMITED)
    assert reason == "gross exposure would be 10.10%, limit 10%, which is 10% allocated"


def test_what_was_bought_at_full_allocation_can_be_sold_at_a_lower_one():
    assert reasons(buy(pct=-4.0), Book(weights_pct={"AAPL": 9.0, "JPM": 60.0}), LIMITED) == ()


def test_the_whole_allocation_can_be_traded_in_equal_parts():
    gate = OrderGate(limits=LIMITS, restrictions=RESTRICTIONS)
    admitted, refused = gate.admit([buy(f"S{n}", pct=10 * 0.05) for n in range(20)], Book(), flags=LIMITED, today=TODAY)
    assert (len(admitted), refused) == (20, ())
    assert reasons(buy(pct=0.01), Book(weights_pct={f"S{n}": 0.5 for n in range(20)}), LIMITED) != ()


def test_an_order_that_reduces_risk_always_leaves():
    book = Book(weights_pct={"GE": 50.0}, vix=80.0)
    off = flags("m", [], None)
    assert reasons(buy("GE", pct=-20.0, epoch=0), book, off) == ()


def test_an_order_through_zero_is_not_a_reduction():
    assert reasons(buy("GE", pct=-60.0), Book(weights_pct={"GE": 50.0})) != ()


def test_nothing_is_traded_in_shadow():
    assert any("shadow" in reason for reason in reasons(read=flags("m", [shadowing()], None)))


def test_orders_admitted_earlier_count_against_the_limits_of_later_ones():
    gate = OrderGate(limits=LIMITS, restrictions=RESTRICTIONS)
    orders = [buy(s, pct=9.0) for s in ("A", "B", "C")]
    book = Book(sectors=dict.fromkeys("ABC", "one"))
    admitted, refused = gate.admit(orders, book, flags=LIVE, today=TODAY)
    assert [o.symbol for o in admitted] == ["A", "B"]
    assert refused[0].order.symbol == "C"


def test_a_figure_that_is_no_number_keeps_nobody_from_getting_out():
    book = Book(weights_pct={"GE": 50.0, "JPM": float("nan")}, adv_usd={"GE": float("nan")}, vix=float("nan"))
    assert reasons(buy("GE", pct=-20.0, epoch=0), book) == ()
