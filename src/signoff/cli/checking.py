"""init, check, memo: a release before it is signed."""

from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from signoff.adapters.clocks import WallClock
from signoff.adapters.folders import write_file, write_folder
from signoff.adapters.templates import TEMPLATES, write_dossier
from signoff.cli import data_options as data
from signoff.cli.session import Session, fields, rows
from signoff.domain.errors import BadInputError
from signoff.rendering.junit_report import junit_report
from signoff.rendering.terminal import gate_table, metric_notes, metric_table, reasons
from signoff.verbs.release_documents import Document

Folder = Annotated[Path, typer.Argument(help="The dossier folder: dossier.yaml and its evidence.")]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", help="A trial policy; default DIR/policy.yaml, else the installation's policy."),
]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(init)
    app.command()(check)
    app.command()(memo)


def init(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="The model's name, e.g. momentum.")],
    version: Annotated[str, typer.Argument(help="The version, e.g. 2.0.0.")],
    directory: Annotated[Path | None, typer.Option("--dir", help="Where to write; default ./MODEL-VERSION.")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="[TABLE=]FILE",
            help="Evidence that is there: returns, trials, a benchmark, in any form that `verdict` reads. May be said "
            "again. TABLE is backtest, trials or benchmark.",
        ),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option("--template", help=f"Also write a trial policy that says why: {', '.join(TEMPLATES)}."),
    ] = None,
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
    """Write a dossier to fill in, commented, with an editor schema.

    With --from it is written around the evidence that is there, which `signoff check` judges at once.

    With --template a trial policy is written beside it, whose every choice says why.

    Examples: `signoff init momentum 2.0.0 --dir release --template small-firm`;
    `signoff init momentum 2.0.0 --from returns.csv --from trials.csv`
    """
    session: Session = context.obj
    folder = directory or Path(f"{model}-{version}")
    today = WallClock().now().date()
    if not given:
        written = write_dossier(model, version, folder, today=today, template=template)
        session.answer(
            {"written": [str(path) for path in written]},
            *(f"wrote {path}" for path in written),
            *_of_template(folder, template),
            f"Fill in {folder / 'dossier.yaml'}, put the evidence beside it, then: signoff check {folder}",
        )
        return
    from signoff.verdict.options import Options  # noqa: PLC0415 - reading tables loads slowly
    from signoff.verdict.starting import refuse_present, started  # noqa: PLC0415

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
    start = started(given, options)
    refuse_present(folder, start)
    written = write_dossier(
        model, version, folder, today=today, declared=start.declared, beside=start.files, template=template
    )
    session.answer(
        {
            "written": [str(path) for path in written],
            "understood": list(start.understood.lines),
            "notes": list(start.notes),
            "declared": dict(start.declared),
        },
        *start.understood.lines,
        *start.notes,
        *(f"declared in dossier.yaml: evidence.{key}: {value}" for key, value in start.declared.items()),
        *(f"wrote {path}" for path in written),
        *_of_template(folder, template),
        f"See the gates now: signoff check {folder}. Fill in {folder / 'dossier.yaml'} for `memo` and `submit`.",
    )


def _of_template(folder: Path, template: str | None) -> tuple[str, ...]:
    """What to do with the trial policy of a template."""
    if template is None:
        return ()
    return (
        f"{folder / 'policy.yaml'} is a trial policy: `check` and `memo` are held to it. Two people put it in force: "
        f"signoff policy propose {folder / 'policy.yaml'}, then signoff policy confirm",
    )


Seed = Annotated[int | None, typer.Option(min=0, help="Repeat the replay that was drawn with this seed.")]


def check(
    context: typer.Context,
    directory: Folder,
    policy: PolicyFile = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Also write the gates as a JUnit report.")] = None,
    seed: Seed = None,
) -> None:
    """Validate the dossier, run every gate, print the table, and say what `memo` and `submit` will refuse.

    Exit 0 when all blocking gates pass and `memo` refuses nothing, else 1. A dossier that is not filled in yet is
    judged by its evidence, and what is left to fill in is listed: never exit 0.

    Example: `signoff check release --policy policy.yaml --junit gates.xml`
    """
    session: Session = context.obj
    with session.progress() as report:
        document = session.verbs.check(directory, policy, report, seed=seed)
    if junit is not None:
        _write_junit(junit, document)
    session.answer(document, *_lines(document))
    raise typer.Exit(0 if document["passed"] and not document.get("refused") else 1)


def memo(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(help="The dossier folder, or the id of a release.")],
    out: Annotated[Path | None, typer.Option("--out", help="The folder to write.")] = None,
    policy: PolicyFile = None,
    seed: Seed = None,
) -> None:
    """Write the deployment memo (Markdown, HTML, PDF), its four attachments and the manifest.

    For a release on record it writes the living memo, with its notices' receipts, its readings and people's acts.
    The signed memo is compared with its manifest: exit 1 if a file of it was altered.

    Example: `signoff memo release --out memo`, later `signoff memo momentum-2.0.0-1a2b3c4d`
    """
    session: Session = context.obj
    if not directory.is_dir():
        _living(session, str(directory), out)
        return
    if out is None:
        raise BadInputError("Expected the folder to write as --out DIR, found none.")
    with session.progress() as report:
        document, files = session.verbs.memo(directory, policy, report, seed=seed)
    write_folder(out, files)
    session.answer(
        {**document, "files": sorted(files), "folder": str(out)},
        *_lines(document),
        f"The memo is {out / 'deployment_memo.pdf'}; {len(files)} files in {out}.",
    )
    raise typer.Exit(0 if document["passed"] else 1)


def _living(session: Session, deployment_id: str, out: Path | None) -> None:
    """Write the living memo of a release, beside the signed one."""
    with session.progress() as report:
        report("composing and rendering the living memo", 0, 1)
        document, signed, altered, files = session.verbs.living_memo(deployment_id)
    folder = out or Path(f"{deployment_id}-living")
    write_folder(folder, files)
    living = folder / "living_memo.pdf"
    session.answer(
        {
            **document,
            "living_memo": str(living),
            "signed_memo": signed or None,
            "altered": None if altered is None else list(altered),
            "files": sorted(files),
        },
        f"the living memo, as of now: {living}",
        *_as_signed(signed, altered),
    )
    raise typer.Exit(1 if altered else 0)


def _as_signed(signed: str, altered: tuple[str, ...] | None) -> tuple[object, ...]:
    if not signed:
        return ("no memo was issued for signature yet",)
    if altered is None:
        return (f"the signed memo, not compared (an older server): {signed}",)
    if altered:
        return tuple(Text(f"ALTERED since it was signed: {path}", style="bold red") for path in altered)
    return (f"the signed memo, as signed: {signed}",)


def _write_junit(path: Path, document: Document) -> None:
    left = rows(document, "placeholders") if document.get("placeholders") else ()
    report = junit_report(str(document["model"]), str(document["version"]), rows(document, "gates"), left)
    try:
        write_file(path, report)
    except OSError as error:
        raise BadInputError(
            f"Expected to write the JUnit report to {path}, and cannot: {error.strerror}. Name a file in a folder that "
            "can be written."
        ) from error


def _lines(document: Document) -> tuple[object, ...]:
    begin, end = rows(document, "backtest")
    return (
        Text(f"{document['model']} v{document['version']}, backtest {begin} to {end}", "bold"),
        f"Held to {fields(document, 'policy')['says']}.",
        *((f"Time: {time}.",) if (time := document.get("time")) else ()),
        *_sessions(document),
        metric_table(rows(document, "metrics")),
        *metric_notes(rows(document, "metrics")),
        gate_table(rows(document, "gates")),
        *reasons(rows(document, "gates")),
        f"Point in time: {document['point_in_time']}. {document['point_in_time_reason']}",
        *_paper(document),
        *((f"Inference: {inference}.",) if (inference := document.get("inference")) else ()),
        *(() if (seed := document["replay_seed"]) is None else (f"The replay was drawn with seed {seed}.",)),
        *((f"The feature code ran {ran}.",) if (ran := document["feature_code_ran"]) else ()),
        *(rows(document, "summary_computed") if document.get("summary_computed") else ()),
        *_left(document),
        *_refused(document),
        *cannot_sign(document),
        _verdict(document),
    )


def cannot_sign(document: Document) -> tuple[Text, ...]:
    """The roles that no enrolled person could sign in; an older server sends none."""
    texts = rows(document, "cannot_sign") if document.get("cannot_sign") else ()
    return tuple(Text(f"It could not be approved: {text}", style="bold red") for text in texts)


def _refused(document: Document) -> tuple[Text, ...]:
    """The refusals of `memo` and `submit`; an older server sends none."""
    keys = (("`signoff memo` and `signoff submit` refuse", "refused"), ("`signoff submit` refuses", "submit_refused"))
    return tuple(
        Text.assemble((f"{who}: ", "bold red"), str(text))
        for who, key in keys
        for text in (rows(document, key) if document.get(key) else ())
    )


def _left(document: Document) -> tuple[Text, ...]:
    """What nobody has filled in yet, a line a section; an older server refuses such a dossier."""
    left = rows(document, "placeholders") if document.get("placeholders") else ()
    if not left:
        return ()
    sections = groupby(left, lambda key: str(key).partition(".")[0])
    lines = (f"  {section}: {', '.join(str(key).partition('.')[2] for key in keys)}" for section, keys in sections)
    return (Text(f"The dossier is not finished. {len(left)} left to fill in:", style="bold"), *map(Text, lines))


def _verdict(document: Document) -> Text:
    """Which gates block; green only where the dossier is finished too."""
    if blocked := ", ".join(rows(document, "blocking")):
        return Text(f"Blocked by: {blocked}.", style="bold red")
    if document.get("placeholders"):
        return Text("No blocking gate, and the dossier is not finished.", style="bold yellow")
    return Text("No blocking gate.", style="bold green")


def _sessions(document: Document) -> tuple[str, ...]:
    """The sessions that each table lacks, blocking or not; an older server sends none."""
    texts = rows(document, "sessions") if document.get("sessions") else ()
    return tuple(f"Sessions: {text}" for text in texts)


def _paper(document: Document) -> tuple[str, ...]:
    """The anomalies of the paper period; an older server sends none."""
    if not document.get("paper"):
        return ()
    paper = fields(document, "paper")
    declared = "; ".join(str(text) for text in paper["declared"])
    refused = paper.get("correlation_refused")
    return (
        f"Paper trading: {paper['says']}",
        *((f"Correlation with the backtest, not evidenced: {refused}.",) if refused else ()),
        *((f"Declared of it: {declared}",) if declared else ()),
    )
