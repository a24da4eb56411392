"""How long `signoff check` takes, started from nothing: a family of 1,000 trials over ten years, 10,000 resamples.

Run by `make bench`. Times are of this machine.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import release_folder  # noqa: E402 - the tests' own folder of evidence


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = release_folder.make(Path(name) / "release", sessions=2520, trials=1000)
        command = [
            str(Path(sys.executable).parent / "signoff"),
            "check",
            str(folder),
            "--home",
            f"{name}/home",
            "--json",
        ]
        runs = []
        for _ in range(4):
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, check=False)
            runs.append(time.perf_counter() - began)
            assert done.returncode in {0, 1}, done.stderr.decode()
    print("signoff check, T = 2520, N = 1000, 10,000 resamples, every gate and figure, from the shell")
    print(f"    first {runs[0]:.1f} s (compiles, if it never did), then {min(runs[1:]):.1f} s")


if __name__ == "__main__":
    main()
