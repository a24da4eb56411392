"""What a server has carried out in a process of its own: the same errors come back, and a process that breaks is told.

A `sitecustomize` on the path of the child plays what befalls it. The server, the child and the database are real.
"""

import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import timedelta

import postgres
import pytest
from cast_of_six import PEOPLE
from http_server import Served
from sqlalchemy import create_engine, make_url, text

from signoff.adapters.database import SchemaError, initialise
from signoff.adapters.foreign_files import ForeignFileError
from signoff.adapters.sandbox.child import IsolationError
from signoff.config.settings import settings
from signoff.domain.artifacts import OtherBytesError
from signoff.domain.errors import (
    BadInputError,
    ConflictError,
    GuardError,
    NotFoundError,
    NotTakenError,
    RefusedError,
    StaleRevisionError,
    TamperedError,
    UnavailableError,
)
from signoff.domain.permissions import ForbiddenError
from signoff.http import uploads
from signoff.http.problems import status_of
from signoff.verbs import child
from signoff.verbs.child import ChildRequest, answer, read_answer

PLAYED = """import sys
from pathlib import Path
if any(part.startswith("signoff") for part in sys.orig_argv[1:5]):
    exec(Path({script!r}).read_text())
"""
REHEARSALS = "/api/v1/models/momentum/rehearsals"
UNKNOWN = "/api/v1/models/nothing/rehearsals"


class Staged(Served):
    """A server whose children play a script when they start."""

    def play(self, script):
        self.script.write_text(script)

    def start(self, **how):
        folder = self.settings.home.parent / "played"
        folder.mkdir(exist_ok=True)
        self.script = folder / "script.py"
        self.play("")
        (folder / "sitecustomize.py").write_text(PLAYED.format(script=str(self.script)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", ""))))
            return super().start(**how)

    def posted(self, path, **content):
        headers = {"content-type": "application/zip"} if "content" in content else {}
        return self.client("machine").post(path, headers=headers, **({"json": {}} | content))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Staged(tmp_path_factory.mktemp("staged") / "home").start()
    yield started
    started.stop()


def archive(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in files.items():
            made.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def kind_of(answered):
    return answered.status_code, answered.json()["type"]


@pytest.fixture
def taken_away(tmp_path):
    """A server over PostgreSQL, whose database refuses every new connection as soon as a child starts."""
    url = postgres.fresh_database()
    initialise(url, role="signoff_app")
    server = Staged(tmp_path / "home", database=postgres.as_role(url, "signoff_app")).start()
    name, owner = make_url(url).database, postgres.owner_url()
    engine = create_engine(owner, isolation_level="AUTOCOMMIT")

    def let_in(is_open):
        return f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {str(is_open).lower()}'

    def away():
        server.play(
            "from sqlalchemy import create_engine, text\n"
            f"with create_engine({owner!r}, isolation_level='AUTOCOMMIT').connect() as known:\n"
            f"    known.execute(text({let_in(False)!r}))\n"
        )

    yield server, away
    with engine.connect() as connection:
        connection.execute(text(let_in(True)))
    engine.dispose()
    server.stop()


@pytest.mark.real
@pytest.mark.slow
def test_a_database_taken_away_from_the_child_is_an_outage_and_no_fault_of_the_request(taken_away):
    server, away = taken_away
    away()
    for path, content in (
        (REHEARSALS, {}),
        ("/api/v1/deployments", {"content": archive(dossier_yaml="{}")}),
    ):
        answered = server.posted(path, **content)
        assert kind_of(answered) == (503, "urn:signoff:unavailable"), answered.text


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("/api/v1/checks", archive(other_txt="x"), (422, "urn:signoff:badinput")),
        ("/api/v1/checks", archive(dossier_yaml="model: ["), (422, "urn:signoff:badinput")),
        ("/api/v1/memos", archive(dossier_yaml="model: {}"), (422, "urn:signoff:badinput")),
        ("/api/v1/deployments", archive(dossier_yaml="- 1"), (422, "urn:signoff:badinput")),
        (REHEARSALS, archive(other_txt="x"), (422, "urn:signoff:badinput")),
        (UNKNOWN, None, (404, "urn:signoff:notfound")),
    ],
)
def test_what_is_wrong_with_a_request_comes_back_as_the_childs_own_error(server, path, content, kind):
    server.play("")
    answered = server.posted(path) if content is None else server.posted(path, content=content)
    assert kind_of(answered) == kind, answered.text
    assert "Traceback" not in answered.text


@pytest.mark.parametrize(
    ("script", "ended"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15),
        ("import os; os._exit(0)", 0),
        ("import os; os._exit(2)", 2),
        ("import os, threading; threading.Timer(0.2, os._exit, (1,)).start(); sys.stdin.buffer.read = None", 1),
        ("import sys; sys.modules['signoff.installation'] = None", 1),
    ],
)
def test_a_child_that_is_killed_or_ends_without_a_word_is_an_outage_and_the_log_says_how_it_ended(
    server, script, ended
):
    server.play(script)
    answered = server.posted(REHEARSALS)
    assert kind_of(answered) == (503, "urn:signoff:unavailable"), answered.text
    assert "Send the same request again" in answered.json()["detail"]
    told = [line for line in server.logged() if line["message"] == "a child process gave no answer"]
    assert (told[-1]["verb"], told[-1]["exit"]) == ("rehearse", ended)


@pytest.mark.parametrize(
    "written",
    [
        "done",
        "null",
        "17",
        "{}",
        '{"document": 1}',
        '{"document": {}}',
        '{"document": {"a": 1}, "problem": {}}',
        '{"document": {"a": 1}}\n{"document": {"a": 2}}',
        '{"document": {"a"',
        '{"problem": {"code": "refused"}}',
        '{"problem": "refused"}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_nonsense_on_a_childs_standard_output_is_an_outage(server, written):
    server.play(f'import os; os.write(1, {written!r}.encode("utf-8", "surrogateescape")); os._exit(0)')
    answered = server.posted(REHEARSALS)
    assert kind_of(answered) == (503, "urn:signoff:unavailable"), answered.text


def test_a_server_whose_child_broke_carries_out_the_next_request(server):
    server.play("import os; os._exit(1)")
    assert server.posted(REHEARSALS).status_code == 503
    server.play("")
    assert server.posted(UNKNOWN).status_code == 404


def test_the_childs_line_and_environment_hold_no_setting_and_start_no_command_line(server, tmp_path):
    seen = tmp_path / "seen.json"
    server.play(
        f"import atexit, json, os, sys\n"
        f"def tell():\n"
        f"    told = sys.orig_argv, dict(os.environ), sorted(sys.modules)\n"
        f"    open({str(seen)!r}, 'w').write(json.dumps(told))\n"
        f"atexit.register(tell)\n"
    )
    assert server.posted(UNKNOWN).status_code == 404
    line, environment, modules = json.loads(seen.read_text())
    assert line[1:] == ["-P", "-m", "signoff.verbs.child"]
    assert not {name for name in environment if name.startswith("SIGNOFF")}
    assert server.settings.database not in json.dumps([line, environment])
    assert not {name for name in modules if name.split(".")[:2] == ["signoff", "cli"] or name in {"typer", "click"}}


def carried_out(server, secret, actor=PEOPLE["cto"]):
    """What a child says to a request with this secret."""
    known = replace(server.settings, sent=secret, actor=actor)
    asked = ChildRequest(verb="rehearse", settings=known, subject="nothing").to_json()
    return subprocess.run(uploads.CHILD, input=asked, capture_output=True, check=True, timeout=60).stdout


def test_a_child_acts_in_no_name_that_the_server_did_not_send_it_for(server):
    before = server.house.store.size()
    sent = server.house.sent_for(PEOPLE["cto"], timedelta(minutes=1))
    late = server.house.sent_for(PEOPLE["cto"], timedelta(minutes=-1))
    for asked in (("",), ("a guess",), (late,), (sent, PEOPLE["model_owner"])):
        with pytest.raises(UnavailableError, match="used or has expired"):
            read_answer(carried_out(server, *asked))
    sent = server.house.sent_for(PEOPLE["cto"], timedelta(minutes=1))
    with pytest.raises(NotFoundError):
        read_answer(carried_out(server, sent))
    with pytest.raises(UnavailableError, match="used or has expired"):
        read_answer(carried_out(server, sent))
    assert server.house.store.size() == before


def test_the_server_starts_no_other_line():
    assert uploads.CHILD[1:] == ("-P", "-m", child.__name__)


ERRORS = [
    BadInputError("no dossier.yaml"),
    NotFoundError("no such model"),
    ForeignFileError("a FIFO"),
    RefusedError("not now"),
    GuardError("tier", "one tier at a time"),
    ForbiddenError("not you"),
    StaleRevisionError("read again"),
    ConflictError("another request"),
    OtherBytesError("other bytes"),
    TamperedError("altered"),
    UnavailableError("no database"),
    SchemaError("another schema"),
    IsolationError("a hazard"),
    NotTakenError("not taken", is_of_receiver=True),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_every_error_of_a_child_comes_back_with_its_code_words_and_guard(error, monkeypatch, tmp_path):
    def refused(asked):
        raise error

    monkeypatch.setattr(child, "carry_out", refused)
    written = io.BytesIO()
    answer(ChildRequest(verb="check", settings=settings(home=str(tmp_path))).to_json(), written)
    with pytest.raises(type(error)) as told:
        read_answer(written.getvalue())
    assert type(told.value) is type(error)
    assert (str(told.value), status_of(told.value)) == (str(error), status_of(error))
    assert getattr(told.value, "guard", None) == getattr(error, "guard", None)


def test_a_code_that_is_not_known_is_an_outage():
    with pytest.raises(UnavailableError, match="from a later version"):
        read_answer(b'{"problem": {"code": "later", "message": "from a later version"}}')


@pytest.mark.parametrize("name", ["home", "a b, c", "größe", "no\udcff utf-8", 'quo"ted', "line\nbreak"])
def test_a_home_of_any_name_reaches_the_child(name):
    known = replace(settings(home=f"/srv/{name}"), repositories=(f"/clones/{name}", "/other"))
    read = ChildRequest.read(ChildRequest(verb="check", settings=known, folder=known.home / "uploads").to_json())
    assert read.settings == known
    assert read.folder == known.home / "uploads"


def test_a_request_arrives_as_it_was_made_without_the_secrets_of_messengers(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("a-secret")
    monkeypatch.setenv("SIGNOFF_WEBHOOK_URL", "https://hooks.example.com/a-secret")
    monkeypatch.setenv("SIGNOFF_PAGER_URL", "https://pager.example.com/a-secret")
    monkeypatch.setenv("SIGNOFF_PAGER_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SIGNOFF_REPOSITORIES", "/clones")
    known = settings(home=str(tmp_path), database="postgresql://u:p@h/d", actor="Q. Zhao", venue="simulated")
    sent = ChildRequest(verb="memo", settings=known, subject="m", folder=tmp_path, out=tmp_path / "out").to_json()
    assert b"a-secret" not in sent
    read = ChildRequest.read(sent)
    assert (read.settings.database, read.settings.actor, read.settings.venue) == (
        known.database,
        "Q. Zhao",
        known.venue,
    )
    assert (read.settings.home, read.settings.repositories) == (tmp_path, ("/clones",))
    assert (read.subject, read.folder, read.out) == ("m", tmp_path, tmp_path / "out")


def test_what_a_library_prints_is_no_part_of_the_answer(tmp_path):
    program = (
        "import os\n"
        "from signoff.verbs import child\n"
        "def carried_out(asked):\n"
        '    print(\'{"document": {"a": 2}}\', flush=True)\n'
        "    os.system('echo from a process of its own')\n"
        "    return {'a': 1}\n"
        "child.carry_out = carried_out\n"
        "child.main()\n"
    )
    request = ChildRequest(verb="check", settings=settings(home=str(tmp_path))).to_json()
    ended = subprocess.run([sys.executable, "-c", program], input=request, capture_output=True, check=True, timeout=60)
    assert read_answer(ended.stdout) == {"a": 1}
    assert b"from a process of its own" in ended.stderr
