import json

import firm_policy
import pytest
import release_folder
from cast_of_six import PEOPLE
from working_registry import WorkingRegistry

from signoff.adapters.killed_writer import KilledWriter
from signoff.cli.main import main
from signoff.ports.durability import Kept
from signoff.wiring import House


class Desk:
    """The command line as people use it, on an installation of its own with the venue that is named."""

    def __init__(self, home, folder, capsys, venue="simulated"):
        self.home, self.folder, self.capsys, self.venue = home, folder, capsys, venue

    def __call__(self, *arguments):
        """Run a command with --json; (exit code, document, messages)."""
        self.capsys.readouterr()
        venue = ["--venue", self.venue] if self.venue else []
        code = main([*map(str, arguments), "--home", str(self.home), *venue, "--json"])
        said = self.capsys.readouterr()
        return code, json.loads(said.out) if said.out.strip().startswith("{") else None, said.err

    def ok(self, *arguments):
        code, document, said = self(*arguments)
        assert code == 0, said
        return document

    def refused(self, *arguments, code=1):
        found, _, said = self(*arguments)
        assert found == code, said
        assert "Traceback" not in said
        return said

    def with_people(self):
        for role, name in PEOPLE.items():
            self.ok("people", "add", name, "--make-key", "--role", role)
        self.ok("policy", "propose", firm_policy.FILE, "--as", PEOPLE["risk_manager"])
        self.ok("policy", "confirm", "--as", PEOPLE["cto"])
        self.ok("adopt", "momentum", "1.1.0", "--role", "risk_manager", "--role", "cto", "--reason", "live before")
        return self.rehearsed()

    def rehearsed(self):
        """A rehearsal on record; its registry is there for that moment only, and nothing is really killed."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(House, "registry", property(lambda _: WorkingRegistry()))
            patch.setattr(KilledWriter, "measure", lambda _: Kept(acknowledged=25, lost=0))
            self.ok("rehearse", "momentum", "--dossier", self.folder)
        return self

    def submitted(self):
        """The id of a release that waits for signatures, its gates overridden where they block."""
        _, document, said = self("submit", self.folder, "--as", "Q. Ferrari")
        assert document is not None, said
        identity = document["deployment"]
        for role in ("risk_manager", "cto"):
            if document["state"] == "validated":
                document = self.ok("override", identity, "--role", role, "--reason", "a test of the procedure")
        assert document["state"] == "awaiting_approval"
        return identity

    def approved(self):
        identity = self.submitted()
        for role in PEOPLE:
            document = self.ok("approve", identity, "--role", role)
        assert document["state"] == "approved"
        return identity


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("release") / "dossier")


@pytest.fixture
def folder(pristine, tmp_path):
    import shutil

    return shutil.copytree(pristine, tmp_path / "dossier")


@pytest.fixture
def unprinted(monkeypatch):
    """Memos as a line of text, where a test is not about documents: typesetting takes seconds."""
    from signoff.app import package, rollback

    def plain(memo):
        return {"deployment_memo.md": memo.tldr.encode(), "deployment_memo.pdf": repr(memo.decision).encode()}

    monkeypatch.setattr(package, "rendered", plain)
    monkeypatch.setattr(rollback, "rendered", plain)
    monkeypatch.setattr(
        package,
        "attachments",
        lambda *_: {"attachments/backtest_report.pdf": b"", "attachments/validation_results.pdf": b""},
    )


@pytest.fixture
def desk(tmp_path, folder, capsys):
    return Desk(tmp_path / "home", folder, capsys)
