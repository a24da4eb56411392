"""Section 11: references, the artefacts themselves, what inference costs, and whom to call."""

from typing import Final

from signoff.domain.dossier import Person
from signoff.domain.memo.document import Block, Bullets, Cell, Fields, Section
from signoff.domain.memo.pieces import ABSENT, Line, figure, lead_in, linked, placed, words
from signoff.domain.memo.provenance import bound_artifacts
from signoff.domain.memo.release import Release
from signoff.domain.quantity import Quantity, Unit

_REFERENCES: Final = (
    Line("Model Card", "card"),
    Line("Backtest Report", "backtest"),
    Line("Research Paper/Memo", "research"),
    Line("Code Repository", "repository"),
    Line("MLflow Experiment", "mlflow"),
)


def appendix(release: Release) -> Section:
    """Chapter 11."""
    return Section(
        "11",
        "Appendix",
        sections=(
            Section("11.1", "References", (_references(release),)),
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
    declared, links = release.dossier.appendix, release.standing.links
    return (
        lead_in("Model Artifacts"),
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
                ("Inference time", _inference_time(release)),
                ("Memory usage", figure(_benchmark(release, "memory_mb", Unit.MEGABYTES))),
                ("Throughput", _throughput(release)),
            )
        ),
    )


def _inference_time(release: Release) -> Cell:
    median = _benchmark(release, "inference_median_ms", Unit.MILLISECONDS)
    p95 = _benchmark(release, "inference_p95_ms", Unit.MILLISECONDS)
    if not median.is_provided and not p95.is_provided:
        return ABSENT
    return Cell(f"{median.text} (median), {p95.text} (p95)", is_figure=True)


def _throughput(release: Release) -> Cell:
    rate = _benchmark(release, "predictions_per_second", Unit.COUNT)
    return Cell(f"{rate.text} predictions/sec", is_figure=True) if rate.is_provided else ABSENT


def _benchmark(release: Release, name: str, unit: Unit) -> Quantity:
    candidate = release.evidence.candidate
    return Quantity(name=f"benchmarks.{name}", value=candidate.metrics.get(name) if candidate else None, unit=unit)


def _contacts(release: Release) -> tuple[Block, ...]:
    contacts = release.dossier.appendix.contacts
    return (
        lead_in("Deployment Team"),
        Fields(
            (
                ("Model Owner", _person(contacts.owner)),
                ("Tech Lead", _person(contacts.tech_lead)),
                ("On-Call", words(contacts.on_call)),
            )
        ),
        lead_in("Escalation"),
        Bullets(contacts.escalation, is_numbered=True),
    )


def _person(person: Person) -> Cell:
    return Cell(", ".join(part for part in (person.name, person.email, person.slack) if part))
