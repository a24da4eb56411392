"""The tools whose results are read, and the tables of evidence that these become."""

from typing import Final

FORMATS: Final = ("lean", "nautilus", "vectorbt", "pyfolio", "zipline", "table", "trades")
RETURNS: Final = ("backtest", "backtest_previous", "paper_returns")
TABLES: Final = (*RETURNS, "trials")
DECIMALS: Final = ("point", "comma")
ORDERS: Final = ("day-first", "month-first")
