"""The memo compares the lock file with what the replay could import, and says that production was not looked at."""

from dataclasses import replace

import sample

from signoff.domain.environment import Distribution, Lock, PythonEnvironment


def test_the_memo_prints_the_lock_files_digest_and_what_differs() -> None:
    lock = Lock(path="requirements.txt", sha256="ab" * 32, pins={"foo-bar": frozenset({"1.0"})})
    ran = Distribution(name="Foo_Bar", version="1.1", sha256="")
    r = sample.release()
    dossier = replace(r.dossier, infrastructure=replace(r.dossier.infrastructure, lock=lock.path))
    pit = replace(r.evidence.pit, environment=PythonEnvironment(python="3.12", distributions=(ran,)))
    evidence = replace(r.evidence, lock=lock, pit=pit)
    cell = sample.cell(sample.memo(dossier=dossier, evidence=evidence), "7.1", "Lock file")
    assert cell.text == (
        f"requirements.txt (sha256 {lock.sha256}), 1 of 1 distributions of the replay differ from the lock: "
        "Foo_Bar==1.1 (the lock: 1.0); not compared with what runs"
    )
