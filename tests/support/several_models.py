"""An installation with several models, each in a state of its own, and a worker process over it."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
from forked import Command
from standing import way_to

from signoff.adapters.clocks import SimulatedClock
from signoff.app.record import StreamChange, deployment_stream
from signoff.config.settings import settings
from signoff.domain import events as e
from signoff.domain.deployment import State
from signoff.installation import Installation
from signoff.ports.kills import Kill

NOW = datetime.now(UTC)
# Far enough back that an exchange's session has closed since, whatever the hour, over a long weekend and after an early
# close; no farther, so that few sessions without data have passed.
AGO = timedelta(days=5 if NOW.weekday() in {6, 0, 1} else 3)


class Several:
    """A home, and what stands in it."""

    def __init__(self, home, registry=None):
        self.settings = settings(home=str(home), venue="simulated", registry=registry)
        self.house = Installation(self.settings)
        self.log = home.parent / "worker.log"
        self.process, self._kills = None, 0

    def release(self, model, state=State.LIMITED, *, ago=AGO, before="1"):
        """A release of its own, and the version before it, which only the registry knows."""
        identity = f"{model}-2"
        events = tuple(
            replace(event, deployment=identity, model=model, previous_deployment=None, previous_version=before)
            if isinstance(event, e.Opened)
            else event
            for event in way_to(state)
        )
        change = StreamChange(stream=deployment_stream(identity), state=None, events=events)
        self.house.record.commit(change, actor="t", key=f"put {model}", at=NOW - ago)
        return identity

    def leaving(self, model, *, ago=timedelta(0)):
        """A rollback that was started and has every step before it."""
        identity = self.release(model)
        house = Installation(self.settings, SimulatedClock(NOW - ago))
        house.rollback.start(identity, e.RollbackCause.ERROR, "t", "r", actor="t")
        return identity

    def leaving_alone(self, model):
        """The same of a release that no version was before, so that no registry is asked."""
        identity = self.release(model, before=None)
        self.house.rollback.start(identity, e.RollbackCause.ERROR, "t", "r", actor="t")
        return identity

    def late(self, model):
        """A rollback that ended, and whose post-mortem is overdue."""
        identity = self.release(model, ago=timedelta(days=9))
        house = Installation(self.settings, SimulatedClock(NOW - timedelta(days=5)))
        state = house.record.deployment(identity)
        begun = e.RollbackStarted(
            occasion=e.RollbackCause.ERROR,
            trigger="t",
            reason="r",
            from_phase=None,
            deadlines=(e.Deadline(name="post_mortem", due=NOW - timedelta(days=3)),),
        )
        steps = (e.StepDone(step=step, seconds=0.1, detail="") for step in e.Step)
        change = StreamChange(
            stream=deployment_stream(identity),
            state=state,
            events=(begun, *steps, e.RolledBack(restored_version=None)),
        )
        house.record.commit(change, actor="t", key=f"late {model}", at=NOW - timedelta(days=5))
        return identity

    def kill(self, model):
        """A kill that only the journal holds; its id."""
        self._kills += 1
        kill = Kill(id=f"{self._kills:032}", model=model, reason="r", actor="t", at=self.house.clock.now())
        assert self.house.kills.write(kill)
        return kill.id

    def journal(self, model, **changes):
        """A journal of yesterday; a change is the content of one file, or a function of its path."""
        folder = self.settings.live(model)
        folder.mkdir(parents=True, exist_ok=True)
        day = (NOW - timedelta(days=1)).date()
        at, of = datetime(day.year, day.month, day.day, 21, tzinfo=UTC), {"version": ["2"]}
        tables = {
            "returns": {"date": [day], **of, "return": [0.001], "benchmark": [0.001]},
            "history": {"date": [day - timedelta(days=9)], **of, "return": [0.001], "benchmark": [0.0]},
            "predictions": {
                "timestamp": [at],
                **of,
                "symbol": ["A"],
                "prediction": [0.1],
                "latency_ms": [5.0],
                "error": [False],
            },
            "features": {"timestamp": [at], "symbol": ["A"], "x": [1.0]},
            "baseline_features": {"timestamp": [at], "symbol": ["A"], "x": [1.0]},
            "exposure": {"date": [day], **of, "gross_exposure_pct": [50.0]},
        }
        for name, columns in tables.items():
            path = folder / f"{name}.parquet"
            change = changes.get(name, {})
            if callable(change):
                path.unlink(missing_ok=True)
                pl.DataFrame(columns).write_parquet(path)
                change(path)
                continue
            present = {c: v for c, v in {**columns, **change}.items() if v is not None}
            path.unlink(missing_ok=True)
            pl.DataFrame(present).write_parquet(path)

    def start(self, *further):
        """The worker, as an operator runs it."""
        known = self.settings
        line = ["worker", "--watch", "--observe", *further, "--home", str(known.home), "--venue", "simulated"]
        self.process = Command(*line, "--registry", known.registry, log=self.log)
        return self

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        self.process = None

    def logged(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def problems(self):
        """What the worker said it could not do."""
        return [line["because"] for line in self.logged() if line["message"] == "not done"]

    def until(self, holds, seconds=60):
        end = time.monotonic() + seconds
        while not holds():
            assert self.process.poll() is None, f"the worker died: {self.log.read_text()[-3000:]}"
            assert time.monotonic() < end, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def kinds(self, identity):
        return [r.event.kind for r in self.house.record.history(deployment_stream(identity))]

    def is_killed(self, model):
        latch = self.house.record.latch(model)
        return latch is not None and latch.is_latched

    def notices(self):
        path = self.settings.home / "notices.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
