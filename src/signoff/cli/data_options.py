"""What somebody may say of data that do not say it themselves: the options that `verdict` and `init --from` share."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from signoff.adapters.results.formats import DECIMALS, ORDERS

OF_DATA: Final = "What the data are"


def said(help_: str, *names: str, **more: Any) -> Any:  # noqa: ANN401 - Typer's own type
    """One option about the data."""
    return typer.Option(*names, help=help_, rich_help_panel=OF_DATA, **more)


Column = Annotated[str | None, said("Which column is judged.", "--column")]
Equity = Annotated[
    bool | None, said("Values are worths (an equity curve, prices), or they are returns.", "--equity/--returns")
]
Unit = Annotated[str | None, said("What returns are written in: fraction or percent.", "--unit")]
RowsAre = Annotated[str | None, said("What one row stands for: daily, weekly, monthly, quarterly.", "--frequency")]
RowsAYear = Annotated[float | None, said("The rows of a year, where the dates do not show it.", "--rows-a-year")]
SessionsOf = Annotated[str | None, said("Whose sessions the rows are: XNYS, 24/5 (weekdays), 24/7.", "--calendar")]
Zone = Annotated[str | None, said("The zone in which a day begins and ends.", "--zone")]
RiskFree = Annotated[float, said("The annual rate that Sharpe ratios are in excess of.", "--risk-free-pct")]
Lag = Annotated[int | None, said("By how many rows the benchmark is earlier.", "--benchmark-lag")]
NeverTraded = Annotated[int | None, said("Configurations that were tried and never traded.", "--never-traded")]
Extremes = Annotated[list[str] | None, said("A true return beyond what is usual.", "--extreme", metavar="DATE=RETURN")]
FlowsComplete = Annotated[bool, said("An equity curve has no deposits but in its column flow.", "--flows-complete")]
Dates = Annotated[str | None, said(f"What comes first in the dates: {' or '.join(ORDERS)}.", "--dates")]
Mark = Annotated[str | None, said(f"The decimal mark: {' or '.join(DECIMALS)}.", "--decimal")]
Sheet = Annotated[str | None, said("Excel: the sheet with the table.", "--sheet")]
Capital = Annotated[float | None, said("A list of trades: the money before the first trade.", "--capital")]
Prices = Annotated[Path | None, said("Trades, NautilusTrader: closes as date, symbol, close.", "--prices")]
Fills = Annotated[Path | None, said("NautilusTrader: the report of fills.", "--fills")]
