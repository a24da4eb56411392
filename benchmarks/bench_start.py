"""What a command costs before it does anything: help, a look at a home, the import, and a large check, in one run.

Run by `make bench`. Seconds are processor time with that of children; the least of several turns counts. They are of
one machine, so that each stands beside its measure in the same run: `import typer, rich` for commands, bare Python for
the import. The check has T = 2,520, N = 1,000 and 10,000 resamples, and its target is in seconds.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import release_folder  # noqa: E402 - the tests' own folder of evidence

TURNS, CHECKS = 7, 3
AT_MOST = {"signoff --help": 4.0, "signoff status": 4.0, "import signoff": 6.0}
CHECK_S = 2.0


def spent(line):
    """Processor and wall-clock seconds of one process and its children."""
    began = time.perf_counter()
    pid = os.posix_spawn(
        line[0],
        line,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)],
    )
    _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) in {0, 1}, line
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began


def adopted(home):
    """A home with one release that is live."""
    for line in (
        ("people", "add", "R. Moreau", "--role", "risk_manager", "--make-key"),
        ("people", "add", "C. Yamada", "--role", "cto", "--make-key"),
        ("grandfather", "momentum", "1.1.0", "--role", "risk_manager", "--role", "cto", "--reason", "live"),
    ):
        subprocess.run([sys.executable, "-m", "signoff", "--home", home, *line], check=True, capture_output=True)


def main():
    with tempfile.TemporaryDirectory() as name:
        home, folder = f"{name}/home", release_folder.make(Path(name) / "release", sessions=2520, trials=1000)
        adopted(home)
        ours = [sys.executable, "-m", "signoff"]
        lines = {
            "bare Python": [sys.executable, "-c", "pass"],
            "import typer, rich": [sys.executable, "-c", "import typer, rich"],
            "import signoff": [sys.executable, "-c", "import signoff"],
            "signoff --help": [*ours, "--help"],
            "signoff status": [*ours, "--home", home, "status"],
        }
        took = {said: [spent(line)[0]] for said, line in lines.items()}
        for _ in range(TURNS):
            for said, line in lines.items():
                took[said].append(spent(line)[0])
        check = [spent([*ours, "--home", f"{name}/none", "check", str(folder), "--json"]) for _ in range(CHECKS + 1)]
    least = {said: min(found[1:]) for said, found in took.items()}  # the first turn compiles what was never compiled
    print(f"processor time from a cold shell, the least of {TURNS} turns")
    for said, seconds in least.items():
        beside = "bare Python" if said == "import signoff" else "import typer, rich"
        ratio = seconds / least[beside]
        limit = AT_MOST.get(said)
        verdict = "" if limit is None else f"  (at most {limit:g}: {'reached' if ratio <= limit else 'MISSED'})"
        print(f"    {said:<20} {seconds * 1000:6.0f} ms  {ratio:5.1f} of {beside}{verdict}")
    wall = min(one[1] for one in check[1:])
    print(
        f"    check, N = 1,000     processor {min(one[0] for one in check[1:]):.1f} s, wall clock {wall:.1f} s  "
        f"(at most {CHECK_S:g}: {'reached' if wall <= CHECK_S else 'MISSED'})"
    )


if __name__ == "__main__":
    main()
