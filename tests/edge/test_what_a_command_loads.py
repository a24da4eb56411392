"""A kill and a flag do not wait for libraries that read tables, compute statistics or set pages."""

import subprocess
import sys

HEAVY = {"alembic", "exchange_calendars", "fastapi", "mlflow", "numba", "polars", "scipy", "typst", "xlsxwriter"}


def test_the_commands_load_nothing_that_a_kill_does_not_need():
    program = (
        "import sys; from signoff.cli.commands import built; built().load_all(); import signoff.installation; "
        f"print(sorted({HEAVY!r} & sys.modules.keys()))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.strip() == "[]"
