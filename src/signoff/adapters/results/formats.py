"""Which tools' results are read, and which tables of evidence they become."""

from typing import Final

FORMATS: Final = ("lean", "nautilus", "vectorbt", "pyfolio", "zipline")
RETURNS: Final = ("backtest", "backtest_previous", "paper_returns")
TABLES: Final = (*RETURNS, "trials")
