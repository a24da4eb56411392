"""verdict: judges a column of returns, and optionally a table of trials, without a dossier."""

from pathlib import Path
from typing import Annotated

import typer

from signoff.cli import data_options as data
from signoff.cli.session import Session
from signoff.domain.errors import SignoffError

EXAMPLES = """Judge a column of returns by every gate that the data allow, without a dossier.

    It reads CSV, Parquet, Arrow, Excel, pickles of pandas, results of known backtesters and a broker's list of trades,
    and prints what it understood. Exit 0 when every gate that blocks passes, 1 when one fails or lacks its data, 2 when
    the data have to be asked about.

    Examples: `signoff verdict returns.csv`; `signoff verdict equity.xlsx --trials grid.parquet --html verdict.html`;
    `signoff verdict btc.csv --calendar 24/7 --zone UTC`; `signoff verdict returns.csv --trials grid.csv --explain pbo`;
    `signoff verdict trades.csv --capital 100000 --calendar XNYS --json`
    """
File = Path | None


def add_to(app: typer.Typer) -> None:
    """Register this command."""
    app.command("verdict", help=EXAMPLES)(verdict)


def verdict(
    context: typer.Context,
    returns: Annotated[Path, typer.Argument(help="Returns or an equity curve, or a backtester's result.")],
    trials: Annotated[
        File, typer.Option(help="The returns of every configuration that was tried, a column each.")
    ] = None,
    benchmark: Annotated[File, typer.Option(help="Returns or prices of a benchmark on the same days.")] = None,
    html: Annotated[File, typer.Option("--html", help="Also write one page with pictures to this file.")] = None,
    gate: Annotated[list[str] | None, typer.Option("--gate", help="Only this gate; may be said again.")] = None,
    explain: Annotated[
        str | None, typer.Option("--explain", help="A gate's definition, formula, paper, and its numbers here.")
    ] = None,
    policy: Annotated[File, typer.Option("--policy", help="A policy file; default Signoff's own thresholds.")] = None,
    column: data.Column = None,
    equity: data.Equity = None,
    unit: data.Unit = None,
    frequency: data.RowsAre = None,
    rows_a_year: data.RowsAYear = None,
    calendar: data.SessionsOf = None,
    zone: data.Zone = None,
    risk_free_pct: data.RiskFree = 0.0,
    benchmark_lag: data.Lag = None,
    never_traded: data.NeverTraded = None,
    extreme: data.Extremes = None,
    flows_complete: data.FlowsComplete = False,
    dates: data.Dates = None,
    decimal: data.Mark = None,
    sheet: data.Sheet = None,
    capital: data.Capital = None,
    prices: data.Prices = None,
    fills: data.Fills = None,
) -> None:
    from signoff.domain.gates.assess import DEFINITIONS  # noqa: PLC0415 - reading and judging tables loads slowly
    from signoff.rendering.verdict import explained, lines  # noqa: PLC0415
    from signoff.verdict.evaluation import Asked, judge, policy_of, said_as  # noqa: PLC0415
    from signoff.verdict.options import Options, gate_keys  # noqa: PLC0415
    from signoff.verdict.spoken import Face  # noqa: PLC0415

    session: Session = context.obj
    try:
        options = Options(
            column=column,
            equity=equity,
            unit=unit,
            frequency=frequency,
            rows_a_year=rows_a_year,
            calendar=calendar,
            zone=zone,
            risk_free_pct=risk_free_pct,
            benchmark_lag=benchmark_lag,
            never_traded=never_traded,
            extremes=tuple(extreme or ()),
            flows_complete=flows_complete,
            dates=dates,
            decimal=decimal,
            sheet=sheet,
            capital=capital,
            prices=prices,
            fills=fills,
        )
        wanted = gate if explain is None else [explain]
        asked = Asked(returns=returns, trials=trials, benchmark=benchmark, policy=policy, gates=wanted)
        with session.progress() as report:
            result = judge(asked, options, report, Face.COMMAND)
            if html is not None:
                report("drawing the pictures", 0, 1)
                result.to_html(html)
    except SignoffError as error:
        raise said_as(error, Face.COMMAND) from error
    if explain is None:
        document = result.document
        session.answer(document, *lines(document), *(() if html is None else (f"wrote {html}",)))
    else:
        (key,) = gate_keys([explain], tuple(DEFINITIONS))
        words, thresholds = DEFINITIONS[key].words, policy_of(policy).gates.thresholds_of(key)
        document = {**result.document, "explains": {**words, "thresholds": list(thresholds)}}
        session.answer(document, *explained(document, words, thresholds))
    raise typer.Exit(0 if result.passed else 1)
