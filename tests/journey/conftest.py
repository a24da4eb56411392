import gc
import json
import shutil
from itertools import count

import firm_policy
import pytest
import release_folder
import replays
from cast_of_six import PEOPLE
from working_registry import WorkingRegistry

from signoff.app import package
from signoff.cli.main import main
from signoff.installation import Installation

RUN = {"start", "advance", "resume", "not-held"}


def acted(arguments):
    """A command that runs a release, in the name of the person who may, unless it names another."""
    runs = arguments[:1] == ("rollout",) and arguments[1] in RUN
    return (*arguments, "--as", PEOPLE["head_of_trading"]) if runs and "--as" not in arguments else arguments


class Desk:
    """The command line as people use it, on an installation of its own with the venue that is named."""

    def __init__(self, home, folder, capsys, venue="simulated", stages=None):
        self.home, self.folder, self.capsys, self.venue = home, folder, capsys, venue
        self.commands, self.stages = [], stages

    def __call__(self, *arguments):
        """Run a command with --json; (exit code, document, messages)."""
        arguments = acted(arguments)
        self.commands.append(tuple(map(str, arguments)))
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
        self._led(self._with_people)
        return self

    def submitted(self):
        """The id of a release that waits for signatures, its gates overridden where they block."""
        return self._led(self._submitted)

    def approved(self):
        return self._led(self._approved)

    def _led(self, lead):
        """Lead the home to a stage, or put back what an earlier test of the same commands led to it."""
        return lead() if self.stages is None else self.stages.led(self, lead)

    def _with_people(self):
        for role, name in PEOPLE.items():
            self.ok("people", "add", name, "--make-key", "--role", role)
        self.ok("policy", "propose", firm_policy.FILE, "--as", PEOPLE["risk_manager"])
        self.ok("policy", "confirm", "--as", PEOPLE["cto"])
        self.ok(
            "grandfather", "momentum", "1.1.0", "--role", "risk_manager", "--role", "cto", "--reason", "live before"
        )
        self.rehearsed()

    def rehearsed(self):
        """A rehearsal on record; its registry is there for that moment only, and nothing is really killed."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Installation, "registry", property(lambda _: WorkingRegistry()))
            self.ok("rehearse", "momentum", "--dossier", self.folder)
        return self

    def _submitted(self):
        _, document, said = self("submit", self.folder, "--as", "Q. Ferrari")
        assert document is not None, said
        identity = document["deployment"]
        for role in ("risk_manager", "cto"):
            if document["state"] == "validated":
                document = self.ok("override", identity, "--role", role, "--reason", "a test of the procedure")
        assert document["state"] == "awaiting_approval"
        return identity

    def _approved(self):
        identity = self.submitted()
        for role in PEOPLE:
            document = self.ok("approve", identity, "--role", role)
        assert document["state"] == "approved"
        return identity


class Stages:
    """One place where homes stand, and copies of it at the stages that many tests begin with.

    The same commands on the same dossier lead to the same home; it is put back at its own path, which the record names.
    """

    def __init__(self, place, copies):
        self.place, self.copies, self._kept, self._numbers = place, copies, {}, count()

    def led(self, desk, lead):
        key = (lead.__name__, tuple(desk.commands), self._dossier(), desk.venue, package.rendered.__qualname__)
        if key in self._kept:
            copy, result, desk.commands = self._kept[key][0], self._kept[key][1], [*self._kept[key][2]]
            self._put_aside()
            shutil.copytree(copy, self.place, symlinks=True)
            return result
        result = lead()
        gc.collect()  # a database that is closed in the middle of the copy is written into
        copy = self.copies / str(len(self._kept))
        shutil.copytree(self.place, copy, symlinks=True)
        self._kept[key] = copy, result, tuple(desk.commands)
        return result

    def cleared(self, pristine):
        """An empty place with a fresh dossier."""
        self._put_aside()
        shutil.copytree(pristine, self.place / "dossier")

    def _put_aside(self):
        """Close what is open there first: SQLite removes the log of a closed file by its path."""
        gc.collect()
        gc.freeze()  # what is left lives on: the next look for garbage passes it over
        if self.place.exists():
            self.place.rename(self.copies / f"aside-{next(self._numbers)}")

    def _dossier(self):
        files = sorted(path for path in (self.place / "dossier").rglob("*") if path.is_file())
        return tuple((path.name, path.read_bytes()) for path in files)


@pytest.fixture(scope="module", autouse=True)
def remembered_replays():
    with replays.remembered():
        yield


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    return Stages(tmp_path_factory.mktemp("installation") / "at", tmp_path_factory.mktemp("stages"))


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("release") / "dossier")


@pytest.fixture
def folder(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "dossier")


@pytest.fixture
def unprinted(monkeypatch):
    """Memos as a line of text, where a test is not about documents: typesetting takes seconds."""
    from signoff.app import rollback

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
def desk(stages, pristine, capsys):
    stages.cleared(pristine)
    return Desk(stages.place / "home", stages.place / "dossier", capsys, stages=stages)


@pytest.fixture
def own_desk(tmp_path, folder, capsys):
    """A desk at a place of its own, for libraries that remember a place."""
    return Desk(tmp_path / "home", folder, capsys)
