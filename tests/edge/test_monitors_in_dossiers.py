"""`check` and `submit` refuse an assumption that cannot be monitored; one that was submitted before still reads."""

import shutil

import pytest
from damage import edit, refused

from signoff.adapters.evidence.reader import FolderReader
from signoff.cli.main import main
from signoff.domain.errors import BadInputError


@pytest.mark.parametrize("monitor", ["psi < 0.25", "psi_max < 25%", "psi_max <> 0.25", "psi_max < 0.25 psi"])
def test_an_assumption_that_cannot_be_monitored_is_refused_with_file_key_expression_and_metrics(folder, monitor):
    edit(folder / "dossier.yaml", "monitor: psi_max < 0.25", f'monitor: "{monitor}"')
    line = next(n for n, t in enumerate((folder / "dossier.yaml").read_text().splitlines(), 1) if monitor in t)
    refused(folder, f"dossier.yaml:{line} boundaries.assumptions.0.monitor", repr(monitor), "nearest first: psi_max,")


@pytest.mark.parametrize("command", ["check", "submit"])
def test_the_commands_refuse_it_and_write_nothing(folder, tmp_path, capfd, command):
    edit(folder / "dossier.yaml", "monitor: universe_size >= 20", "monitor: universe >= 20 names")
    (folder / "policy.yaml").unlink()
    home = tmp_path / "home"
    assert main([command, str(folder), "--home", str(home), "--as", "Quinn"]) == 2
    said = " ".join(capfd.readouterr().err.split())
    for word in ("boundaries.assumptions.1.monitor", "universe >= 20 names", "nearest first: universe_size"):
        assert word in said
    assert not list(home.glob("releases/*"))


def test_every_assumption_that_cannot_be_monitored_is_named_at_once(folder):
    edit(folder / "dossier.yaml", "monitor: psi_max < 0.25", "monitor: psi")
    edit(folder / "dossier.yaml", "monitor: latency_p95_ms < 150", "monitor: latency_p95_ms < 150 ms")
    refused(folder, "2 problems", "assumptions.0.monitor", "assumptions.3.monitor")


def test_a_dossier_that_was_submitted_before_reads_as_it_was_signed(folder, tmp_path):
    edit(folder / "dossier.yaml", "monitor: psi_max < 0.25", "monitor: psi < 25%")
    with pytest.raises(BadInputError):
        FolderReader().read(folder, None)
    kept = tmp_path / "releases" / "m" / "submitted"
    shutil.copytree(folder, kept)
    inputs = FolderReader(keep=tmp_path / "releases").read(kept, None)
    assert inputs.dossier.boundaries.assumptions[0].monitor == "psi < 25%"
