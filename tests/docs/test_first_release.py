"""A newcomer's first release: the files and commands of the page, in order, each command in a process of its own.

The first script of the page is started as the newcomer starts it; the others are forks with the libraries imported.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import forked
import pytest
import scripts

PAGE = (Path(__file__).parents[2] / "docs" / "first-release.md").read_text()
FILES = re.findall(r"^`(\w+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
FENCES = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
LINES = [line for kind, body in FENCES if not kind for line in body.splitlines()]
SHOWN = "mymodel-1.0.0-1a2b3c4d"
NO_VENUE = "no venue connected: open orders and positions are unknown"

# What the page announces beside 0: a gate that blocks, a broker that nobody asked, a session that is still open.
EXITS = {
    "signoff check release": {1},
    "signoff submit release": {1},
    "signoff submit next": {1},
    "signoff kill": {1},
    "signoff rollout rollback": {1},
    "signoff observe": {0, 1, 2},
}


class Reader:
    """Types what the page shows, in an empty folder, with the id of their own release."""

    def __init__(self, folder, host):
        self.host, self.has_begun = host, False
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
        self.folder, self.environment, self.identity, self.told = folder, kept | {"COLUMNS": "200"}, SHOWN, {}

    def type(self, line):
        words = shlex.split(line.replace(SHOWN, self.identity))
        if words[0] == "export":
            self.environment |= dict([words[1].split("=", 1)])
            return
        status, said = (self._command if words[0] == "signoff" else self._script)(*words[1:])
        allowed = next((exits for beginning, exits in EXITS.items() if line.startswith(beginning)), {0})
        assert status in allowed, (line, status, said)
        assert "Traceback" not in said, (line, said)
        self.told[line] = " ".join(said.split())
        if line.startswith("signoff submit release"):
            self.identity = re.search(r"mymodel-1\.0\.0-[0-9a-f]{8}", said)[0]

    def _command(self, *words):
        return forked.ran(*words, cwd=self.folder, within=600, **self.environment)

    def _script(self, *words):
        if self.has_begun:
            log = self.folder.parent / "said.txt"
            return self.host.ran(*words, cwd=self.folder, environment=self.environment, log=log)
        self.has_begun = True
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        return done.returncode, done.stdout

    def of(self, beginning):
        return next(told for line, told in self.told.items() if line.startswith(beginning))


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    pytest.importorskip("mlflow")
    pytest.importorskip("lightgbm")
    folder = tmp_path_factory.mktemp("page") / "newcomer"
    folder.mkdir()
    with scripts.Host("lightgbm", "mlflow", "polars", "signoff.registry") as host:
        reader = Reader(folder, host)
        for name, content in FILES:
            (folder / name).write_text(content)
        for line in LINES:
            reader.type(line)
    return reader


def test_every_file_that_the_commands_name_is_on_the_page():
    named = {word for line in LINES for word in shlex.split(line) if word.endswith(".py")}
    assert named <= {name for name, _ in FILES}
    assert {name for name, _ in FILES} - named == {"features.py", "model.py"}


def test_a_newcomer_comes_through_the_whole_page(reader):
    assert len(reader.told) == len(LINES) - 1
    assert "rolled back" in reader.of("signoff history")
    assert "intact" in reader.of("signoff verify audit")


def test_a_gate_that_blocks_says_why_and_who_may_override_it(reader):
    assert re.search("Blocked by: .*walk_forward", reader.of("signoff check release"))
    assert "walk_forward, fail: " in reader.of("signoff check release")
    assert "2 of risk_manager, head_of_trading, cto" in reader.of("signoff submit release")
    assert "1 more of risk_manager, head_of_trading, cto" in reader.of(f"signoff override {SHOWN} --role risk_manager")


def test_a_near_miss_says_that_it_needs_an_explanation(reader):
    assert "validation.near_misses.spa" in reader.of("signoff check release")


def test_the_answers_say_where_the_memo_lies(reader):
    said = re.search(r"the memo: (\S+)", reader.of(f"signoff override {SHOWN} --role cto"))[1]
    assert (reader.folder / said).is_file()
    assert "approved/deployment_memo.pdf" in reader.of(f"signoff approve {SHOWN} --role compliance")


def test_nothing_claims_to_know_what_is_open(reader):
    for beginning in ("signoff rehearse mymodel", "signoff kill", "signoff rollout rollback"):
        assert NO_VENUE in reader.of(beginning), beginning
    assert "attest-flat" in reader.of("signoff rollout rollback")
    assert "attested flat by T. Haddad" in reader.of("signoff history")


def test_the_first_observation_says_what_it_waits_for(reader):
    said = reader.of("signoff observe")
    assert "observe again after its close at" in said or "interim" in said or "unknown" in said


def test_the_worker_finds_every_document_attached(reader):
    assert "not governance_ready" not in reader.of("signoff worker")


def test_a_rehearsal_runs_the_adopted_version(reader):
    assert "verify_revert" in reader.of("signoff rehearse trading")
    assert "adopted" in reader.of("signoff grandfather")
