"""The action's own script, run here against an API of GitHub's shape; its file against what a runner takes."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import release_folder
import yaml
from command_processes import environment

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".github" / "signoff_check.py"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())


class Comments(ThreadingHTTPServer):
    """Keeps comments as the API of issues does; `broken` answers 500."""

    def __init__(self):
        self.kept, self.broken, self.tokens = {}, False, set()
        super().__init__(("127.0.0.1", 0), Answer)


class Answer(BaseHTTPRequestHandler):
    def answer(self, change):
        self.server.tokens.add(self.headers["Authorization"])
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = None if self.server.broken else change(json.loads(body)["body"] if body else None)
        content = json.dumps(found).encode()
        self.send_response(500 if self.server.broken else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        self.answer(lambda _: [{"id": key, "body": text} for key, text in self.server.kept.items()])

    def do_POST(self):
        self.answer(lambda body: self.server.kept.update({len(self.server.kept) + 1: body}))

    def do_PATCH(self):
        key = int(re.search(r"comments/(\d+)$", self.path)[1])
        self.answer(lambda body: self.server.kept.update({key: body}))

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def api():
    server = Comments()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    made = release_folder.make(tmp_path_factory.mktemp("action") / "release", sessions=300)
    path = made / "dossier.yaml"
    path.write_text(path.read_text().replace("timing: ", "timing: FILL IN "))
    return made


def ran(place, dossier, api=None, **more):
    (place / "event.json").write_text(json.dumps({"pull_request": {"number": 7}}))
    named = {
        "SIGNOFF_DOSSIER": str(dossier),
        "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
        "GITHUB_OUTPUT": str(place / "output"),
        "GITHUB_EVENT_PATH": str(place / "event.json"),
        "GITHUB_REPOSITORY": "firm/models",
    }
    if api is not None:
        named |= {"GITHUB_TOKEN": "t0ken", "GITHUB_API_URL": f"http://127.0.0.1:{api.server_port}"}
    return subprocess.run(
        [sys.executable, str(SCRIPT)], cwd=place, env=environment(**(named | more)), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def test_it_ends_as_the_check_writes_junit_the_summary_and_one_comment(release, tmp_path, api):
    done = ran(tmp_path, release, api)
    assert done.returncode == 1, done.stderr
    report = ET.parse(tmp_path / "signoff-junit.xml").getroot()
    assert report.find(".//testcase[@name='pbo']") is not None
    text = (tmp_path / "summary.md").read_text()
    assert "| gate | status |" in text
    assert "does not pass" in text
    assert "The dossier is not finished: 1 left to fill in." in text
    assert (tmp_path / "output").read_text() == "passed=false\n"
    assert list(api.kept.values()) == [text]
    api.kept[5] = "a person's own comment"
    assert ran(tmp_path, tmp_path / "nowhere", api).returncode == 2
    assert set(api.kept) == {1, 5}
    assert api.kept[1] != text
    assert api.kept[5] == "a person's own comment"
    assert api.tokens == {"Bearer t0ken"}
    assert "t0ken" not in done.stdout + done.stderr


def test_a_comment_that_cannot_be_written_is_said_and_changes_no_exit_code(tmp_path, api):
    api.broken = True
    done = ran(tmp_path, tmp_path / "nowhere", api)
    assert done.returncode == 2
    assert "The comment was not written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("dossier", "word"), [("nowhere", "Expected a dossier folder"), ("", "the input `dossier`")])
def test_a_dossier_that_is_not_there_is_bad_input_with_its_cause(tmp_path, dossier, word):
    done = ran(tmp_path, dossier)
    assert done.returncode == 2
    assert word in done.stdout.replace("\\", "") + done.stderr


@pytest.mark.parametrize("text", ["<img src=x>", "@everyone", "| a | b", "[x](javascript:1)", "`code`", "two\nlines"])
def test_what_a_dossier_says_stays_text_in_the_comment(text):
    said = subprocess.run(
        [sys.executable, "-c", f"import signoff_check; print(signoff_check.plain({text!r}), end='')"],
        cwd=SCRIPT.parent, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert not re.search(r"<|@\w|(?<!\\)[|`\[]|\n", said)


def test_the_action_is_what_a_runner_takes():
    assert ACTION["runs"]["using"] == "composite"
    assert {"name", "description", "inputs", "runs"} <= set(ACTION)
    for one in ACTION["inputs"].values():
        assert one["description"]
        assert "default" in one or one["required"]
    for step in ACTION["runs"]["steps"]:
        assert ("run" in step) != ("uses" in step)
        assert "uses" in step or step["shell"] == "bash"
        assert "${{" not in step.get("run", ""), (
            "an input is handed over in the environment, never pasted into a script"
        )
    named = set(re.findall(r"\$\{\{ inputs\.(\w+)", (ROOT / "action.yml").read_text()))
    assert named <= set(ACTION["inputs"])
    assert SCRIPT.is_file()
