"""Latencies are compared only where both were measured alike, and a benchmark counts for its own bytes alone."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import sample
from contradicted import contradictions

from signoff.domain.artifacts import Artifact, Pin
from signoff.domain.benchmark import Benchmark, objection
from signoff.domain.evidence import PaperLog
from signoff.domain.gates.facts import facts
from signoff.domain.gates.inference import benchmark_summary, inference_latencies
from signoff.domain.memo.document import Mark


def registration(number, run, model="momentum", sha256="a" * 64):
    files = (Artifact(path="model.txt", size=9, sha256=sha256),)
    return Pin(model=model, number=number, run_id=run, files=files)


NEW, OLD = registration(7, "run-2.0.0"), registration(3, "run-1.1.0", sha256="b" * 64)
VERSIONS = {7: "2.0.0", 3: "1.1.0"}
MACHINE = "AMD EPYC, 2 cores, Linux x86_64"


def measured(of, p95, **changed):
    said = Benchmark(
        model=of.model,
        version=VERSIONS[of.number],
        registry_version=of.number,
        run_id=of.run_id,
        digest=of.digest,
        format="python",
        measured_at=datetime(2018, 12, 20, tzinfo=UTC),
        machine=MACHINE,
        runtime="Python 3.11.7",
        isolation="in a child process",
        calls=1000,
        known_rows=20,
        median_ms=p95 / 2,
        p95_ms=p95,
        p99_ms=p95 * 2,
        memory_mb=177.0,
        batch_rows=10_000,
        predictions_per_second=50_000.0,
        largest_difference=0.0,
    )
    return replace(said, **changed)


def evidence(*, new=None, old=None, paper=None, declared_new=None, declared_old=None):
    """Evidence of both versions, each measured by what is given here."""

    def version(held, declared):
        metrics = {} if declared is None else {"latency_p95_ms": declared}
        return replace(sample.version(VERSIONS[held.number]), metrics=metrics, pin=held)

    return replace(
        sample.evidence(),
        candidate=version(NEW, declared_new),
        champion=version(OLD, declared_old),
        benchmark=None if new is None else measured(NEW, new),
        benchmark_previous=None if old is None else measured(OLD, old),
        paper=None if paper is None else paper_log(paper),
    )


def paper_log(latency_ms, n=20):
    """Predictions of one moment, each of which took so long."""
    numbers, texts = np.ones(n), np.full(n, "buy")
    return PaperLog(
        source=sample.source("paper.csv"),
        timestamps=np.full(n, np.datetime64("2018-03-01T14:30:00", "us")),
        symbols=np.array([f"S{k}" for k in range(n)]),
        prediction=numbers,
        latency_ms=latency_ms * numbers,
        is_error=np.zeros(n, dtype=bool),
        side=texts,
        quantity=numbers,
        decision_price=numbers,
        fill_price=numbers,
    )


def latencies(found):
    return inference_latencies(found, "2.0.0", "1.1.0")


def operations(found):
    new, old, kinds = latencies(found)
    assessment = replace(sample.assessment(), latency_p95_new=new, latency_p95_old=old, latencies=kinds)
    return sample.cell(sample.memo(evidence=found, assessment=assessment), "1.1", "Operations").text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"new": 85.0, "old": 120.0}, "120.0 ms → 85.0 ms (−29%); by signoff benchmark"),
        ({"declared_new": 85.0, "declared_old": 120.0}, "120.0 ms → 85.0 ms (−29%); by declared in the registry"),
        ({"new": 85.0, "old": 120.0, "paper": 40.0, "declared_old": 300.0}, "120.0 ms → 85.0 ms (−29%)"),
    ],
)
def test_latencies_that_were_measured_alike_have_a_change(given, said):
    assert said in operations(evidence(**given))
    assert "not comparable" not in operations(evidence(**given))


@pytest.mark.parametrize(
    "given",
    [
        {"paper": 40.0, "declared_old": 120.0},
        {"new": 40.0, "declared_old": 120.0},
        {"paper": 40.0, "old": 120.0},
        {"declared_new": 40.0, "old": 120.0},
        {"paper": 40.0, "declared_new": 60.0, "declared_old": 120.0},
    ],
)
def test_latencies_that_were_not_are_not_comparable_and_have_no_change(given):
    found = evidence(**given)
    said = operations(found)
    assert "40.0 ms" in said
    assert "previous version 120.0 ms" in said
    assert "not comparable, they were not measured alike" in said
    assert "%" not in said
    names = [quantity.name for quantity in latencies(found)[:2]]
    assert names == ["latency_p95.new", "latency_p95_previous"]


def test_benchmarks_of_different_machines_are_not_comparable():
    found = replace(
        evidence(new=40.0), benchmark_previous=measured(OLD, 120.0, machine="Apple M2, 8 cores, Darwin arm64")
    )
    assert "not comparable, they were measured on different machines" in operations(found)


def test_a_summary_may_not_make_a_pair_of_what_is_not_comparable():
    for given, is_pair in (({"new": 85.0, "old": 120.0}, True), ({"paper": 85.0, "declared_old": 120.0}, False)):
        new, old, kinds = latencies(evidence(**given))
        assessed = replace(sample.assessment(), latency_p95_new=new, latency_p95_old=old, latencies=kinds)
        found = contradictions("Inference latency fell from 120 ms to 85 ms.", facts(assessed), ())
        assert (found == ()) is is_pair


@pytest.mark.parametrize(
    ("registered", "version", "words"),
    [
        (NEW, "2.0.0", ""),
        (replace(NEW, number=8), "2.0.0", "of registered version 7, and the registry has registered version 8"),
        (registration(7, "run-2.0.0", sha256="c" * 64), "2.0.0", f"of digest {NEW.digest[:12]}, and the registry has"),
        (registration(7, "run-2.0.0", sha256="a" * 63 + "d"), "2.0.0", f"of digest {NEW.digest[:12]}"),
        (replace(NEW, run_id="another"), "2.0.0", "of run run-2.0.0, and the registry has run another"),
        (replace(NEW, model="carry"), "2.0.0", "of model momentum, and the registry has model carry"),
        (NEW, "2.1.0", "of v2.0.0, and the release needs one of v2.1.0"),
        (None, "2.0.0", "no registry says which bytes v2.0.0 has"),
    ],
)
def test_a_benchmark_counts_for_the_bytes_that_the_registry_holds(registered, version, words):
    found = objection(measured(NEW, 85.0), registered, version)
    assert words in found
    assert (found == "") is (words == "")


class TestSection112:
    def printed(self, found):
        assessment = replace(sample.assessment(), benchmark=benchmark_summary(found, "2.0.0"))
        memo = sample.memo(evidence=found, assessment=assessment)
        labels = ("Inference time", "Memory usage", "Throughput", "Source")
        return {label: sample.cell(memo, "11.2", label) for label in labels}

    def test_it_prints_what_was_measured_and_on_what(self):
        found = self.printed(evidence(new=0.3))
        assert found["Inference time"].text == "0.15 ms (median), 0.30 ms (p95), 0.60 ms (p99)"
        assert found["Memory usage"].text == "177 MB"
        assert found["Throughput"].text == "50,000 predictions/sec"
        assert found["Source"].text == (f"measured by signoff benchmark on registered version 7, 2018-12-20, {MACHINE}")

    def test_without_a_benchmark_nothing_is_measured_whatever_the_registry_declares(self):
        found = self.printed(
            replace(
                evidence(),
                candidate=replace(sample.version("2.0.0"), metrics={"memory_mb": 717.0, "inference_median_ms": 1.0}),
            )
        )
        assert {found[label].text for label in ("Inference time", "Memory usage", "Throughput")} == {"not measured"}
        assert found["Source"].text.startswith("not measured: the dossier has no benchmark.json")

    def test_one_of_other_bytes_measures_nothing(self):
        other = evidence(new=0.3)
        other = replace(other, candidate=replace(other.candidate, pin=replace(NEW, number=9)))
        found = self.printed(other)
        assert found["Inference time"].text == "not measured"
        assert "benchmark.json does not count, it is of registered version 7" in found["Source"].text
        assert {cell.mark for cell in found.values()} == {Mark.NOT_PROVIDED}

    def test_memory_that_the_system_did_not_tell_is_not_measured(self):
        unknown = replace(evidence(new=0.3), benchmark=measured(NEW, 0.3, memory_mb=None))
        assert self.printed(unknown)["Memory usage"].text == "not measured"
