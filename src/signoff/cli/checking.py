"""init, check, memo: a release before anybody signs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from signoff.adapters.folders import write_file, write_folder
from signoff.adapters.templates import write_dossier
from signoff.app.assess import Release, submission_errors
from signoff.cli.session import Session
from signoff.domain.errors import BadInputError
from signoff.domain.finding import Finding
from signoff.rendering.junit_report import junit_report
from signoff.rendering.terminal import gate_table, metric_table

Folder = Annotated[Path, typer.Argument(help="The dossier folder: dossier.yaml and its evidence.")]
PolicyFile = Annotated[Path | None, typer.Option("--policy", help="The firm's policy.yaml; default DIR/policy.yaml.")]


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
) -> None:
    """Write a dossier to fill in, commented, with an editor schema.

    Example: `signoff init momentum 2.0.0 --dir release`
    """
    session: Session = context.obj
    folder = directory or Path(f"{model}-{version}")
    written = write_dossier(model, version, folder)
    session.answer(
        {"written": [str(path) for path in written]},
        *(f"wrote {path}" for path in written),
        f"Fill in {folder / 'dossier.yaml'}, put the evidence beside it, then: signoff check {folder}",
    )


def check(
    context: typer.Context,
    directory: Folder,
    policy: PolicyFile = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Also write the gates as a JUnit report.")] = None,
) -> None:
    """Validate the dossier, run every gate, print the table. Exit 0 when all blocking gates pass, else 1.

    Example: `signoff check release --policy policy.yaml --junit gates.xml`
    """
    session: Session = context.obj
    release = _assessed(session, directory, policy)
    if junit is not None:
        _write_junit(junit, release)
    session.answer(check_document(release), *_lines(release))
    raise typer.Exit(1 if release.assessment.blocking else 0)


def memo(
    context: typer.Context,
    directory: Folder,
    out: Annotated[Path, typer.Option("--out", help="The folder to write.")],
    policy: PolicyFile = None,
) -> None:
    """Write the deployment memo (Markdown, HTML, PDF), its four attachments and the manifest.

    Example: `signoff memo release --out memo`
    """
    session: Session = context.obj
    release = _assessed(session, directory, policy)
    submission_errors(release)
    with session.progress() as report:
        report("composing and rendering the memo", 0, 1)
        files = session.house.publisher.publish(release, None)
    write_folder(out, files)
    document = check_document(release) | {"files": sorted(files), "folder": str(out)}
    session.answer(
        document, *_lines(release), f"The memo is {out / 'deployment_memo.pdf'}; {len(files)} files in {out}."
    )
    raise typer.Exit(1 if release.assessment.blocking else 0)


def _assessed(session: Session, directory: Path, policy: Path | None) -> Release:
    with session.progress() as report:
        return session.house.assessor.assess(directory, policy, report)


def _write_junit(path: Path, release: Release) -> None:
    header = release.inputs.dossier.header
    try:
        write_file(path, junit_report(header.model, header.version, release.assessment.findings))
    except OSError as error:
        raise BadInputError(
            f"Expected to write the JUnit report to {path}, and cannot: {error.strerror}. Name a file in a folder that "
            "can be written."
        ) from error


def _lines(release: Release) -> tuple[object, ...]:
    assessment, dossier = release.assessment, release.inputs.dossier
    blocked = ", ".join(finding.key for finding in assessment.blocking)
    verdict = (
        Text(f"Blocked by: {blocked}.", style="bold red") if blocked else Text("No blocking gate.", style="bold green")
    )
    return (
        Text(f"{dossier.model} v{dossier.version}, backtest {assessment.period[0]} to {assessment.period[1]}", "bold"),
        metric_table(assessment.metrics),
        gate_table(assessment.findings),
        f"Point in time: {assessment.pit.status.value}. {assessment.pit.reason}",
        verdict,
    )


def check_document(release: Release) -> dict[str, object]:
    """The machine-readable answer of `check` and `memo`."""
    assessment = release.assessment
    return {
        "model": release.inputs.dossier.model,
        "version": release.inputs.dossier.version,
        "package": release.package.digest,
        "passed": not assessment.blocking,
        "blocking": [finding.key for finding in assessment.blocking],
        "point_in_time": assessment.pit.status.value,
        "gates": [_gate(finding) for finding in assessment.findings],
        "figures": {q.name: q.value for q in release.figures},
    }


def _gate(finding: Finding) -> dict[str, object]:
    return {
        "key": finding.key,
        "title": finding.title,
        "outcome": finding.outcome.value,
        "statistic": finding.statistic.value,
        "comparison": finding.comparison.value,
        "threshold": finding.threshold.value,
        "blocking": finding.is_blocking,
        "near_miss": finding.is_near_miss,
        "n": finding.n,
        "method": finding.method,
        "reason": finding.reason,
        "turning_point": finding.turning_point,
    }
