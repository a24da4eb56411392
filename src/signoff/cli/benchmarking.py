"""benchmark: measures the cost of running a registered version on this machine, as evidence for a dossier."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from signoff.adapters.evidence.benchmark_file import benchmark_json
from signoff.adapters.folders import write_file
from signoff.cli.session import Session
from signoff.domain.benchmark import Benchmark
from signoff.domain.errors import BadInputError
from signoff.domain.quantity import Quantity, Unit


def add_to(app: typer.Typer) -> None:
    """Register this command."""
    app.command()(benchmark)


def benchmark(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="The model's name in the registry, e.g. momentum.")],
    version: Annotated[str, typer.Argument(help="The registered version, e.g. 2.0.0.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("benchmark.json"),
    calls: Annotated[int, typer.Option(min=100, max=1_000_000, help="How many single rows to time.")] = 1000,
) -> None:
    """Measure a registered version: latency, memory and predictions a second, for section 11.2 of the memo.

    The version is copied from the registry and runs in a process of its own on this machine, also where a server is
    named. The file belongs beside dossier.yaml, as benchmark.json, and that of the version it replaces as
    benchmark_previous.json.

    Example: `signoff benchmark momentum 2.0.0 --out release/benchmark.json`
    """
    session: Session = context.obj
    with session.progress() as report:
        report(f"measuring {model} v{version}", 0, 1)
        measured = session.house.benchmark(model, version, calls=calls)
    content = benchmark_json(measured)
    try:
        write_file(out, content)
    except OSError as error:
        raise BadInputError(
            f"Expected to write the benchmark to {out}, and cannot: {error.strerror}. Name a file in a folder that can "
            "be written."
        ) from error
    session.answer(_document(measured, out), *_lines(measured, out))


def _document(measured: Benchmark, out: Path) -> dict[str, object]:
    return {
        "model": measured.model,
        "version": measured.version,
        "registry_version": measured.registry_version,
        "run_id": measured.run_id,
        "digest": measured.digest,
        "format": measured.format,
        "measured_at": measured.measured_at.isoformat(),
        "machine": measured.machine,
        "runtime": measured.runtime,
        "isolation": measured.isolation,
        "calls": measured.calls,
        "median_ms": measured.median_ms,
        "p95_ms": measured.p95_ms,
        "p99_ms": measured.p99_ms,
        "memory_mb": measured.memory_mb,
        "predictions_per_second": measured.predictions_per_second,
        "batch_rows": measured.batch_rows,
        "written": str(out),
    }


def _lines(measured: Benchmark, out: Path) -> tuple[object, ...]:
    def said(value: float | None, unit: Unit) -> str:
        return "not measured" if value is None else Quantity(name="benchmark", value=value, unit=unit).text

    return (
        Text(f"{measured.model} v{measured.version}, registered version {measured.registry_version}", "bold"),
        f"Inference of one row: {said(measured.median_ms, Unit.MILLISECONDS)} (median), "
        f"{said(measured.p95_ms, Unit.MILLISECONDS)} (p95), {said(measured.p99_ms, Unit.MILLISECONDS)} (p99); "
        f"{measured.calls:,} calls",
        f"Memory of the process: {said(measured.memory_mb, Unit.MEGABYTES)} at most",
        f"Throughput: {measured.predictions_per_second:,.0f} predictions/sec, {measured.batch_rows:,} rows at a time",
        f"On {measured.machine}; {measured.runtime}. The model ran {measured.isolation}.",
        f"Wrote {out}. It counts beside a dossier as benchmark.json, while the registry holds these very bytes.",
    )
