"""The disk full, and the disk gone read-only, under load: refused clearly, killed all the same, well again by itself.

The installation stands on an ext4 file system of its own in a file. It is filled to the last block, or given up by
the kernel under the running server, as after an error of its device. Needs root, for the loop device.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from chaos import MODELS, Load, Process, answered, free_port, furnish, report, settle
from processes import Forge, tail, until

from signoff.config.settings import settings
from signoff.desk.client import FlagClient
from signoff.installation import Installation

VICTIM: Final = "omega"
UNMEASURED: Final = 77  # as automake's tests say that they were skipped


@dataclass
class Disk:
    """A file system of 96 MB in a file."""

    root: Path

    def __post_init__(self) -> None:
        image = self.root / "disk.img"
        with image.open("wb") as file:
            file.truncate(96 << 20)
        ran("mkfs.ext4", "-q", "-m", "0", str(image))
        self.device = ran("losetup", "--find", "--show", str(image)).strip()
        self.place, self.ballast = self.root / "disk", self.root / "disk" / "ballast"
        self.place.mkdir()
        self.mount()

    def mount(self) -> None:
        ran("mount", "-o", "errors=remount-ro", self.device, str(self.place))

    def fill(self) -> None:
        """To the last block; what is freed meanwhile is taken as well."""
        with self.ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 512):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue

    def refuse_writes(self) -> None:
        """As the kernel does when the device fails: what was open stays open, and nothing can be written any more."""
        ran("mount", "-o", "remount,abort", str(self.place))

    def repair(self) -> None:
        """As an operator would: unmounted, checked, mounted."""
        ran("umount", "-l", str(self.place))
        subprocess.run(["e2fsck", "-fy", self.device], check=False, capture_output=True)
        self.mount()

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.place)], check=False, capture_output=True)
        subprocess.run(["losetup", "-d", self.device], check=False, capture_output=True)


def ran(*line: str) -> str:
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--case", choices=("full", "full, nowhere else to write", "read-only"))
    given = asked.parse_args()
    if os.geteuid() != 0:
        print("NOT MEASURED: a file system that can be filled and broken needs a loop device, and that needs root")
        sys.exit(UNMEASURED)
    wrong: list[object] = []
    for case in ("full", "full, nowhere else to write", "read-only"):
        if given.case in {None, case}:
            with tempfile.TemporaryDirectory() as folder, Forge() as forge:
                found = run(forge, Path(folder), case)
            print(json.dumps({"case": case} | found, indent=1), flush=True)
            wrong += found["wrong"]
    sys.exit(bool(wrong))


def run(forge: Forge, folder: Path, case: str) -> dict[str, Any]:
    disk = Disk(folder)
    try:
        return Trial(forge, disk, case).run()
    finally:
        disk.close()


class Trial:
    """One installation on one disk."""

    def __init__(self, forge: Forge, disk: Disk, case: str) -> None:
        self.disk, self.case = disk, case
        known, second = (
            settings(home=str(disk.place / "home"), venue="simulated"),
            None if "nowhere" in case else self.second_folder(),
        )
        self.house = Installation(replace(known, kill_fallback=second))
        self.token, self.port = furnish(self.house, (*MODELS, VICTIM)), free_port()
        how: dict[str, Any] = {"environment": {} if second is None else {"SIGNOFF_KILL_FALLBACK": str(second)}}
        self.processes = [Process(forge, self.house, "serve", "--port", str(self.port), **how)]
        self.processes += [Process(forge, self.house, "worker", "--watch", **how) for _ in range(2)]
        self.over = threading.Event()
        self.loads = [Load(self.port, self.token, model, 1, self.over) for model in MODELS]

    def second_folder(self) -> Path:
        """The second folder for kills, on another disk, as an operator sets it up."""
        folder = self.disk.root / "kills"
        folder.mkdir(mode=0o700)
        return folder

    def run(self) -> dict[str, Any]:
        desk = self.desk()
        threads = [threading.Thread(target=load.run, daemon=True) for load in self.loads]
        for thread in threads:
            thread.start()
        assert until(lambda: self.done() > 50, 60)
        assert desk.wait_for(VICTIM).enabled
        self.broken()
        before, said_before = self.done(), self.said()
        time.sleep(4)
        stopped, seconds = self.kill(desk)
        time.sleep(2)
        while_broken = {"acknowledged_while_broken": self.done() - before, "said": dict(self.said() - said_before)}
        began = time.monotonic()
        self.mended()
        before = self.done()
        assert until(lambda: self.done() > before + 5, 60), self.processes[0].log.read_text()[-2000:]
        well = time.monotonic() - began
        assert until(lambda: self.recorded(stopped), 60), self.told()
        desk.stop()
        time.sleep(2)
        self.over.set()
        for thread in threads:
            thread.join(30)
        settle(self.house)
        for process in self.processes:
            process.running.kill()
        found = report(self.house, self.loads, self.processes)
        keep = ("commands_acknowledged", "kills_acknowledged", "events", "lost", "doubled", "illegal", "wrong")
        return {
            "kill_at_the_desk_ms": round(1000 * seconds),
            "kill_said": {name: stopped[name] for name in ("journaled", "recorded")},
            "answered_again_after_s": round(well, 1),
            "processes_died": sum(not p.running.is_running for p in self.processes) - len(self.processes),
            **while_broken,
            **{name: found[name] for name in keep},
        }

    def broken(self) -> None:
        if self.case == "read-only":
            self.disk.refuse_writes()
            return
        self.disk.fill()
        self.filling = threading.Event()

        def refill() -> None:
            while not self.filling.wait(0.05):
                self.disk.fill()

        self.filler = threading.Thread(target=refill, daemon=True)
        self.filler.start()

    def mended(self) -> None:
        if self.case != "read-only":
            self.filling.set()
            self.filler.join()
            self.disk.ballast.unlink()
            return
        for process in self.processes:
            process.running.kill()
        self.house.store.database.engine.dispose()  # type: ignore[attr-defined]
        self.disk.repair()
        for process in self.processes:
            process.start()

    def desk(self) -> FlagClient:
        """A trading process, connected once the server answers."""
        assert until(self._is_up, 30)
        key = self.house.ledger_key
        return FlagClient(
            [f"http://127.0.0.1:{self.port}"], token=self.token, keys={key.key_id: key.public_key}, models=[VICTIM]
        ).start()

    def _is_up(self) -> bool:
        try:
            return answered(urllib.request.Request(f"http://127.0.0.1:{self.port}/readyz"))[0] == 200
        except OSError:
            return False

    def kill(self, desk: FlagClient) -> tuple[dict[str, Any], float]:
        """Kill while the disk is broken; what was answered, and the seconds until the desk had closed."""
        client, began = Load(self.port, self.token, VICTIM, 9, self.over), time.monotonic()
        answer: list[tuple[int, bytes]] = []
        path, body = f"/models/{VICTIM}/kill", {"reason": "the disk"}
        asking = threading.Thread(target=lambda: answer.append(client.ask(path, body, None)))
        asking.start()
        assert until(lambda: desk.flags(VICTIM).state == "killed", 20, every=0.002), answer
        seconds = time.monotonic() - began
        asking.join(30)
        assert answer[0][0] == 200, answer
        return json.loads(answer[0][1]), seconds

    def recorded(self, stopped: dict[str, Any]) -> bool:
        latch = self.house.record.latch(VICTIM)
        return latch is not None and latch.is_latched and bool(stopped)

    def told(self) -> str:
        """The ends of the logs, for people."""
        return "\n".join(f"{p.running.is_running} {tail(p.log, 25)}" for p in self.processes[:2])

    def done(self) -> int:
        return sum(len(load.acknowledged) for load in self.loads)

    def said(self) -> Counter[str]:
        total = Counter[str]()
        for load in self.loads:
            total.update(load.said)
        return total


if __name__ == "__main__":
    main()
