"""The journal under kills: a writer killed again and again, and a shipper whose primary dies; then count.

`python benchmarks/chaos_journal.py --kills 100 --failovers 2`. Counts acknowledged records that are lost, and records
that PostgreSQL has twice or not at all; ends with 1 where any number is not zero.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from random import Random

import psycopg
from chaos_postgres import Cluster

from signoff.adapters import journal_postgres
from signoff.desk.journal import Journal, check
from signoff.domain.errors import UnavailableError

WRITER = """
import sys
from pathlib import Path
from signoff.desk.journal import Journal
journal = Journal.open(Path(sys.argv[1]))
while True:
    for _ in range(100):
        seq = journal.predict("m-1", "1", "A", 0.5, features=bytes(80))
    if journal.wait_durable(seq, 10):
        sys.stdout.write(f"{seq}\\n")
        sys.stdout.flush()
"""


def killed_writers(folder: Path, kills: int, draw: Random) -> dict[str, int]:
    """Acknowledged records that are gone after each kill; the acknowledgements were kept by another process."""
    lost = 0
    for _ in range(kills):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        acknowledged = int(writer.stdout.readline())
        time.sleep(draw.uniform(0, 0.3))
        writer.kill()
        lines = writer.communicate()[0].split("\n")[:-1]
        acknowledged = int(lines[-1]) if lines else acknowledged
        found = check(folder)
        lost += max(0, acknowledged - found.last_seq) + len(found.gaps)
    return {"kills": kills, "records": check(folder).records, "acknowledged_lost": lost}


def failed_over(folder: Path, cluster: Cluster, failovers: int) -> dict[str, int]:
    """Ship while a process writes, and let the standby take over from a primary that is killed."""
    stop = threading.Event()

    def write() -> None:
        with Journal.open(folder) as journal:
            while not stop.is_set():
                journal.predict("m-1", "1", "A", 0.5, features=bytes(80))
                time.sleep(0.0005)

    def url() -> str:
        return f"postgresql://postgres@127.0.0.1:{cluster.nodes[0].port}/signoff"

    writing = threading.Thread(target=write)
    writing.start()
    time.sleep(0.5)
    refused, confirmed = 0, 0
    journal_postgres.BATCH = 200
    for turn in range(2 * failovers + 1):
        killer = threading.Timer(0.4, cluster.fail_over) if turn % 2 else None
        if killer is not None:
            killer.start()
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            try:
                confirmed = journal_postgres.ship(folder, url(), host="a", needs_standby=killer is None)
            except UnavailableError:
                refused += 1
        if killer is not None:
            killer.join()
            cluster.follow(cluster.nodes[1], cluster.nodes[0])
    stop.set()
    writing.join()
    last = journal_postgres.ship(folder, url(), host="a")
    with psycopg.connect(url()) as connection:
        rows = connection.execute("SELECT count(*), count(DISTINCT seq), max(seq) FROM journal_predictions").fetchone()
    assert rows is not None
    return {
        "failovers": failovers,
        "shipped": last,
        "confirmed_before_the_last_run": confirmed,
        "runs_that_were_cut": refused,
        "missing": last - rows[1],
        "doubled": rows[0] - rows[1],
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=100)
    asked.add_argument("--failovers", type=int, default=2)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        root = Path(name)
        root.chmod(0o755)
        killed = killed_writers(root / "killed", given.kills, Random(1))
        (root / "pg").mkdir()
        cluster = Cluster(root / "pg")
        try:
            shipped = failed_over(root / "shipped", cluster, given.failovers)
        finally:
            cluster.close()
    print(json.dumps({"writers": killed, "shipping": shipped}, indent=1))
    sys.exit(bool(killed["acknowledged_lost"] or shipped["missing"] or shipped["doubled"]))


if __name__ == "__main__":
    main()
