"""Section 11: references, the artefacts themselves, what inference costs, and whom to call."""

from typing import Final

from signoff.domain.assessment import BenchmarkSummary
from signoff.domain.dossier import NamedPerson
from signoff.domain.memo.document import Block, Bullets, Cell, Fields, Mark, Section
from signoff.domain.memo.markup import TemplateLine, declared_by, figure, lead_in, linked, placed, words
from signoff.domain.memo.provenance import bound_artifacts
from signoff.domain.memo.release import Release
from signoff.domain.quantity import Quantity, number

NOT_MEASURED: Final = Cell("not measured", mark=Mark.NOT_PROVIDED)
_REFERENCES: Final = (
    TemplateLine("Model Card", "card"),
    TemplateLine("Backtest Report", "backtest"),
    TemplateLine("Research Paper/Memo", "research"),
    TemplateLine("Code Repository", "repository"),
    TemplateLine("MLflow Experiment", "mlflow"),
)


def appendix(release: Release) -> Section:
    """Chapter 11."""
    return Section(
        "11",
        "Appendix",
        sections=(
            Section("11.1", "References", (declared_by("Titles and links", release.author), _references(release))),
            Section("11.2", "Technical Specifications", _specifications(release)),
            Section("11.3", "Contact Information", _contacts(release)),
        ),
    )


def _references(release: Release) -> Fields:
    links = release.standing.links
    declared = {reference.title: reference.link for reference in release.dossier.appendix.references}
    # Two of the lines are declared in section 8 and need not be repeated by people.
    elsewhere = {
        "Model Card": release.dossier.governance.model_card,
        "MLflow Experiment": release.dossier.governance.experiment,
    }
    rows = []
    for title, name in placed(_REFERENCES, declared):
        rows.append((title, linked(declared[name] if name is not None else elsewhere.get(title), links)))
    return Fields(tuple(rows))


def _specifications(release: Release) -> tuple[Block, ...]:
    declared, links, measured = release.dossier.appendix, release.standing.links, release.assessment.benchmark
    return (
        declared_by("Model Artifacts", release.author),
        Fields(
            (
                ("Model file", linked(declared.model_file, links)),
                ("Feature schema", linked(declared.feature_schema, links)),
                ("Inference script", linked(declared.inference_script, links)),
            )
        ),
        *bound_artifacts(release.evidence),
        lead_in("Performance Benchmarks"),
        Fields(
            (
                ("Inference time", _inference_time(measured)),
                ("Memory usage", NOT_MEASURED if measured is None else _measured(measured.memory)),
                ("Throughput", _throughput(measured)),
                ("Source", _source(measured)),
            )
        ),
    )


def _inference_time(measured: BenchmarkSummary | None) -> Cell:
    if measured is None or not measured.median.is_provided:
        return NOT_MEASURED
    return Cell(
        f"{measured.median.text} (median), {measured.p95.text} (p95), {measured.p99.text} (p99)", is_figure=True
    )


def _throughput(measured: BenchmarkSummary | None) -> Cell:
    if measured is None or measured.rate.value is None:
        return NOT_MEASURED
    return Cell(f"{number(measured.rate.value, measured.rate.unit)} predictions/sec", is_figure=True)


def _measured(quantity: Quantity) -> Cell:
    return figure(quantity) if quantity.is_provided else NOT_MEASURED


def _source(measured: BenchmarkSummary | None) -> Cell:
    if measured is None:
        return Cell("not measured: the dossier has no benchmark.json of signoff benchmark", mark=Mark.NOT_PROVIDED)
    if measured.refused:
        return Cell(f"not measured: benchmark.json does not count, {measured.refused}", mark=Mark.NOT_PROVIDED)
    return Cell(measured.words)


def _contacts(release: Release) -> tuple[Block, ...]:
    contacts = release.dossier.appendix.contacts
    return (
        declared_by("Deployment Team", release.author),
        Fields(
            (
                ("Model Owner", _person(contacts.owner)),
                ("Tech Lead", _person(contacts.tech_lead)),
                ("On-Call", words(contacts.on_call)),
            )
        ),
        declared_by("Escalation", release.author),
        Bullets(contacts.escalation, is_numbered=True),
    )


def _person(person: NamedPerson) -> Cell:
    return Cell(", ".join(part for part in (person.name, person.email, person.slack) if part))
