# ruff: noqa: INP001, TID251, S603, ANN401 - a script that a runner starts, with its inputs in the environment
"""What the GitHub Action runs: `signoff check` with a JUnit report, its summary for the job, and a comment.

Only the standard library is used. The exit code is that of the check, whatever became of the comment.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

MARK = "<!-- signoff check -->"
JUNIT = "signoff-junit.xml"
WITHIN_S = 20


def main() -> int:
    """Check, tell, and end as the check did."""
    asked = os.environ
    dossier, policy = asked.get("SIGNOFF_DOSSIER", ""), asked.get("SIGNOFF_TRIAL_POLICY", "")
    if not dossier:
        sys.stderr.write("Expected the input `dossier`, the folder with dossier.yaml, found none.\n")
        return 2
    line = [sys.executable, "-m", "signoff", "check", dossier, "--json", "--junit", JUNIT]
    done = subprocess.run(
        [*line, *(["--policy", policy] if policy else [])], capture_output=True, text=True, check=False
    )
    sys.stderr.write(done.stderr)
    text = summary(dossier, read(done.stdout), done.returncode, done.stderr)
    sys.stdout.write(text)
    append(asked.get("GITHUB_STEP_SUMMARY"), text)
    append(asked.get("GITHUB_OUTPUT"), f"passed={'true' if done.returncode == 0 else 'false'}\n")
    comment(asked, text)
    return done.returncode


def read(text: str) -> Mapping[str, Any]:
    """The answer of the check, empty where there is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def summary(dossier: str, document: Mapping[str, Any], code: int, stderr: str) -> str:
    """The table of gates in Markdown; what a dossier says stays text."""
    if "gates" not in document:
        error = document.get("error")
        said = error["message"] if isinstance(error, dict) else stderr.strip()
        return f"{MARK}\n### Signoff: {plain(dossier)} could not be checked (exit {code})\n\n{plain(said)}\n"
    verdict = "passes" if code == 0 else "does not pass"
    rows = [
        f"| {plain(gate['title'])} | {gate['status']} | {plain(gate['statistic_text'])} | {gate['comparison']} "
        f"{plain(gate['threshold_text'])} | {'yes' if gate['blocking'] else 'advisory'} |"
        for gate in document["gates"]
    ]
    why = [f"- **{gate['key']}**: {plain(gate['reason'])}" for gate in document["gates"] if gate["outcome"] != "pass"]
    left = len(document.get("placeholders") or ())
    unfinished = [f"The dossier is not finished: {left} left to fill in."] if left else []
    refused = [f"- refused: {plain(text)}" for text in document.get("refused") or ()]
    head = f"### Signoff: {plain(document['model'])} v{plain(document['version'])} {verdict}"
    held = f"Held to {plain(document['policy']['says'])}."
    table = ["| gate | status | value | threshold | blocks |", "|---|---|---|---|---|", *rows]
    return "\n".join((MARK, head, "", held, "", *table, "", *unfinished, *why, *refused, ""))


def plain(text: object) -> str:
    """A text in one line that Markdown, HTML and a mention of people cannot be read out of."""
    line = " ".join(str(text).split())
    escaped = re.sub(
        r"([\\`*_\[\]|~#!])", r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    )
    return escaped.replace("@", "@\N{ZERO WIDTH SPACE}")


def append(path: str | None, text: str) -> None:
    """Add to a file that the runner reads, where it named one."""
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


def comment(asked: Mapping[str, str], text: str) -> None:
    """Write the comment of a pull request, or the one of before anew. What fails is said and changes no exit code."""
    token, repository, event = (
        asked.get(name, "") for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_EVENT_PATH")
    )
    if not (token and repository and event):
        return
    try:
        number = read(Path(event).read_text(encoding="utf-8")).get("pull_request", {}).get("number")
        if not number:
            return
        base = f"{asked.get('GITHUB_API_URL', 'https://api.github.com')}/repos/{repository}/issues"
        found = sent(token, "GET", f"{base}/{number}/comments?per_page=100")
        earlier = [one["id"] for one in found if str(one.get("body", "")).startswith(MARK)]
        if earlier:
            sent(token, "PATCH", f"{base}/comments/{earlier[-1]}", text)
        else:
            sent(token, "POST", f"{base}/{number}/comments", text)
    except (OSError, URLError, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.stderr.write(f"The comment was not written: {error}. The summary of the job has the same text.\n")


def sent(token: str, method: str, url: str, body: str | None = None) -> Any:
    """One request to GitHub."""
    data = None if body is None else json.dumps({"body": body}).encode()
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
    with urlopen(Request(url, data=data, method=method, headers=headers), timeout=WITHIN_S) as answer:  # noqa: S310
        return json.loads(answer.read() or b"null")


if __name__ == "__main__":
    sys.exit(main())
