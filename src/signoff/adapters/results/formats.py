"""Which tools' results are read, and which tables of evidence they become."""

from typing import Final

FORMATS: Final = ("lean", "nautilus", "vectorbt", "pyfolio", "zipline", "table", "trades")
RETURNS: Final = ("backtest", "backtest_previous", "paper_returns")
TABLES: Final = (*RETURNS, "trials")
DECIMALS: Final = ("point", "comma")
ORDERS: Final = ("day-first", "month-first")
