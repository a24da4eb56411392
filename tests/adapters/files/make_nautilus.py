"""Write small real reports with NautilusTrader: python make_nautilus.py (needs nautilus_trader and pyarrow)."""

import nautilus_trader
import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model import Bar, BarType, Money, Venue
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("XNAS")
equity = TestInstrumentProvider.equity(symbol="AAPL", venue="XNAS")
kind = BarType.from_str("AAPL.XNAS-1-DAY-LAST-EXTERNAL")
days = pd.bdate_range("2020-01-01", periods=40, tz="UTC") + pd.Timedelta(hours=21)
prices = 100 * np.cumprod(1 + np.random.default_rng(4).normal(0.0005, 0.01, 40))
bars = [
    Bar(kind, *(equity.make_price(p) for p in (v, v * 1.01, v * 0.99, v)), equity.make_qty(100_000), t.value, t.value)
    for v, t in zip(prices, days)
]


class Alternate(Strategy):
    """In for two days, out for two days."""

    def __init__(self):
        super().__init__(StrategyConfig(strategy_id="ALT-001"))
        self.seen = 0

    def on_start(self):
        self.subscribe_bars(kind)

    def on_bar(self, bar):
        self.seen += 1
        if self.seen % 4 in (1, 3):
            side = OrderSide.BUY if self.seen % 4 == 1 else OrderSide.SELL
            self.submit_order(self.order_factory.market(equity.id, side, equity.make_qty(500)))


engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
engine.add_venue(VENUE, OmsType.NETTING, AccountType.CASH, [Money(100_000, USD)], base_currency=USD)
engine.add_instrument(equity)
engine.add_data(bars)
engine.add_strategy(Alternate())
engine.run()
account = engine.trader.generate_account_report(VENUE)
account.to_csv("nautilus_account.csv")
account.to_pickle("nautilus_account.pickle")
account.drop(columns=["margins", "info"]).to_parquet("nautilus_account.parquet")
engine.trader.generate_order_fills_report().to_csv("nautilus_order_fills.csv")
engine.trader.generate_fills_report().to_csv("nautilus_fills.csv")
closes = pd.DataFrame({"date": days.date, "symbol": str(equity.id), "close": [float(bar.close) for bar in bars]})
closes.to_csv("nautilus_closes.csv", index=False)
print("nautilus_trader", nautilus_trader.__version__, "pandas", pd.__version__, "numpy", np.__version__)
