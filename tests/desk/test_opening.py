"""`signoff.desk.open`: what control names is hosted, and nothing else; flags and heartbeats are in the journal."""

import json
import os
import signal as signals
import subprocess
import sys
import time
from array import array
from dataclasses import replace
from types import SimpleNamespace

import approved_models
import pytest
from approved_models import behaving, flags, release, version

import signoff.desk
from signoff.cli.main import main
from signoff.desk import opening
from signoff.desk.journal import Kind, read
from signoff.domain.artifacts import OtherBytesError
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError, UnavailableError
from signoff.domain.flags import FlagState, killed
from signoff.domain.limits import Order

ROW = array("d", [1.0, 2.0, 3.0])


@pytest.fixture
def world(tmp_path):
    """Versions that multiply by their number, what control says of them, and what opens a desk on it."""
    artifacts, listed = tmp_path / "artifacts", []
    for number, name in enumerate(("1.0.0", "1.1.0", "1.2.0"), 1):
        pin, _ = version(artifacts / name, behaving(f"return {number}.0 * table[:, 0]"), number=number)
        listed.append(release(f"momentum-{name}", name, pin))
    made = SimpleNamespace(artifacts=artifacts, listed=listed, flags=flags(), journal=tmp_path / "journal")

    def told(_model, name):
        return made.flags if name is None else made.flags.for_version(name)

    def opened(model="momentum", **more):
        return signoff.desk.open(
            model,
            **{
                "control": None,
                "flags": told,
                "releases": lambda: made.listed,
                "artifacts": artifacts,
                "journal": made.journal,
                **more,
            },
        )

    made.open = opened
    return made


def until(done, seconds=20):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def entries(world, kind):
    return [one.says for one in read(world.journal) if getattr(one, "kind", None) is kind]


def altered(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_champion_answers_and_its_orders_are_attributed(world):
    with world.open() as desk:
        signal = desk.predict("AAPL", ROW)
        order = Order(
            client_order_id="o",
            symbol="AAPL",
            weight_change_pct=1.0,
            flags_revision=desk.flags().revision,
            version=signal.version,
            prediction=signal.seq,
        )
        desk.submitted(order)
        desk.acknowledged(order)
        desk.cancelled(order)
    assert (signal.value, signal.version, signal.deployment) == (1.0, "1.0.0", "momentum-1.0.0")
    assert entries(world, Kind.ORDER)[0]["prediction"] == signal.seq


def test_the_candidate_that_control_names_predicts_in_shadow(world):
    world.flags = flags(candidate="1.1.0")
    with world.open() as desk:
        until(lambda: desk.host.candidate.is_ready)
        assert desk.predict("AAPL", ROW).value == 1.0
        until(lambda: desk.counted()["shadow"]["answered"] == 1)
    twins = [one for one in read(world.journal) if getattr(one, "is_shadow", False)]
    assert [(one.value, one.version, one.deployment, one.features) for one in twins] == [
        (2.0, "1.1.0", "momentum-1.1.0", ROW.tobytes())
    ]


@pytest.mark.parametrize("name", ["1.0.0", "1.1.0"])
@pytest.mark.parametrize("file", ["model.pkl", "odd.py", "inference.json", "feature_schema.json"])
def test_one_altered_byte_of_champion_or_candidate_keeps_the_desk_closed_and_names_the_file(world, name, file):
    world.flags = flags(candidate="1.1.0")
    altered(world.artifacts / name / file)
    with pytest.raises(OtherBytesError, match=rf"{name} are not .*{file}: expected sha256 .*found sha256"):
        world.open()
    assert not world.journal.exists() or not list(world.journal.glob("*.segment"))


def test_a_process_that_is_pinned_to_the_candidate_hosts_it_alone(world):
    world.flags = flags(candidate="1.1.0", candidate_state=FlagState.LIMITED)
    with world.open(version="1.1.0") as desk:
        signal = desk.predict("AAPL", ROW)
        assert (signal.value, signal.version, signal.is_shadow, desk.host.candidate) == (2.0, "1.1.0", False, None)


def test_a_process_that_is_pinned_to_a_version_in_shadow_predicts_and_does_not_trade(world):
    world.flags = flags(candidate="1.1.0")
    with world.open(version="1.1.0") as desk:
        signal = desk.predict("AAPL", ROW)
        assert signal.is_shadow
        order = Order(
            client_order_id="o",
            symbol="AAPL",
            weight_change_pct=1.0,
            flags_revision=1,
            version="1.1.0",
            prediction=signal.seq,
        )
        with pytest.raises(RefusedError, match="in shadow"):
            desk.submitted(order)


@pytest.mark.parametrize(
    ("changed", "more", "error", "said"),
    [
        ({"flags": flags(None)}, {}, RefusedError, "Expected a champion of momentum, found none"),
        ({"flags": flags(None, "1.1.0")}, {}, RefusedError, "names 1.1.0 as candidate"),
        ({}, {"version": "1.1.0"}, RefusedError, "v1.1.0 of momentum does not run: control names 1.0.0 as champion"),
        ({"flags": flags("9.9.9")}, {}, NotFoundError, "v9.9.9 on record, found v1.0.0"),
        ({"flags": flags("../1.0.0")}, {}, NotFoundError, "on record"),
        ({"flags": flags(state=FlagState.CLOSED)}, {}, UnavailableError, "Expected the flags of momentum within"),
        ({"listed": []}, {}, NotFoundError, "found none"),
        ({}, {"flags": None}, BadInputError, "Expected flags= and releases="),
        ({}, {"releases": None}, BadInputError, "Expected flags= and releases="),
        ({}, {"control": "http://127.0.0.1:9"}, BadInputError, "found both"),
        ({}, {"model": "../x"}, BadInputError, "is no model's name"),
    ],
)
def test_what_cannot_be_hosted_is_refused_with_what_control_said(world, changed, more, error, said):
    for key, value in changed.items():
        setattr(world, key, value)
    with pytest.raises(error, match=said):
        world.open(**more)


def test_a_release_of_other_folders_is_not_loaded(world):
    pin = approved_models.pin_of_folder(world.artifacts / "1.0.0")
    world.listed.append(release("momentum-x", "../artifacts/1.0.0", pin))
    world.flags = flags("../artifacts/1.0.0")
    with pytest.raises(BadInputError, match="is no version's name"):
        world.open()


def test_a_release_that_is_not_bound_is_not_loaded(world):
    world.listed[0]["artifacts"] = {"bound": False, "words": "artefacts not bound: no registry was connected"}
    with pytest.raises(RefusedError, match="cannot be loaded: artefacts not bound: no registry was connected"):
        world.open()


def test_two_desks_do_not_share_a_journal(world):
    with world.open(), pytest.raises(RefusedError, match=f"found process {os.getpid()} writing it"):
        world.open()


def test_flag_changes_and_heartbeats_are_in_the_journal(world, monkeypatch):
    monkeypatch.setattr(opening, "HEARTBEAT_S", 0.05)
    with world.open() as desk:
        desk.predict("AAPL", ROW)
        world.flags = killed(flags(), 1)
        until(lambda: len(entries(world, Kind.FLAGS)) == 2)
        until(lambda: len(entries(world, Kind.HEARTBEAT)) >= 3)
    first, second = entries(world, Kind.FLAGS)
    assert (first["flags_revision"], second["flags_revision"], second["kill_count"]) == (1, 2, 1)
    assert entries(world, Kind.HEARTBEAT)[-1]["predictions"] == 1


def test_a_promotion_and_a_rollback_are_followed(world):
    world.flags = flags(candidate="1.1.0")
    with world.open() as desk:
        world.flags = flags("1.1.0", "1.2.0", revision=2)
        until(lambda: desk.predict("AAPL", ROW).value == 2.0)
        until(lambda: desk.host.candidate is not None and desk.host.candidate.is_ready)
        world.flags = flags("1.0.0", revision=3)
        until(lambda: desk.predict("AAPL", ROW).value == 1.0)
        until(lambda: desk.host.candidate is None)


def test_until_the_next_champion_is_loaded_every_prediction_is_the_fallback(world, monkeypatch):
    monkeypatch.setattr(opening, "TRY_AGAIN_S", 0.1)
    with world.open() as desk:
        file = world.artifacts / "1.1.0" / "odd.py"
        content = file.read_bytes()
        altered(file)
        world.flags = flags("1.1.0", revision=2)
        until(lambda: "which is not loaded" in desk.predict("AAPL", ROW).reason)
        signal = desk.predict("AAPL", ROW)
        assert (signal.value, signal.is_fallback) == (0.0, True)
        assert "odd.py: expected sha256" in signal.reason
        file.write_bytes(content)
        until(lambda: desk.predict("AAPL", ROW).value == 2.0)
    assert "odd.py" in entries(world, Kind.REFUSED)[0]["reason"]


def test_a_candidate_that_is_not_the_approved_one_does_not_touch_the_champion(world, monkeypatch):
    monkeypatch.setattr(opening, "TRY_AGAIN_S", 0.1)
    with world.open() as desk:
        altered(world.artifacts / "1.1.0" / "odd.py")
        world.flags = flags(candidate="1.1.0", revision=2)
        until(lambda: entries(world, Kind.REFUSED))
        for _ in range(20):
            assert desk.predict("AAPL", ROW) == answered(desk, value=1.0)
            time.sleep(0.01)
        assert desk.host.candidate is None
    assert "odd.py" in entries(world, Kind.REFUSED)[0]["reason"]


def answered(desk, value):
    """The champion's own answer, under the number that was given last."""
    from signoff.desk import Signal

    return Signal(value, "1.0.0", desk.journal._seq, symbol="AAPL", deployment="momentum-1.0.0")


def test_a_version_that_control_no_longer_names_gives_the_fallback(world):
    world.flags = flags(candidate="1.1.0")
    with world.open(version="1.1.0") as desk:
        assert desk.predict("AAPL", ROW).value == 2.0
        world.flags = flags(revision=2)
        until(lambda: desk.predict("AAPL", ROW).is_fallback)
        assert desk.predict("AAPL", ROW).reason == "control no longer names v1.1.0"


@pytest.mark.parametrize("state", ["killed", "closed", "off", "unknown", "rolling_back"])
def test_flags_that_are_not_open_hold_back_new_risk_and_no_exit(world, state):
    with world.open() as desk:
        signal = desk.predict("AAPL", ROW)
        order = Order(
            client_order_id="new",
            symbol="AAPL",
            weight_change_pct=1.0,
            flags_revision=1,
            version="1.0.0",
            prediction=signal.seq,
        )
        world.flags = off("momentum", state)
        with pytest.raises(RefusedError, match=rf"v1\.0\.0 takes no new risk: its flags are {state}"):
            desk.submitted(order)
        desk.submitted(replace(order, client_order_id="exit", weight_change_pct=-1.0), is_exit=True)
        desk.cancelled("exit")
        desk.submitted(replace(order, client_order_id="unattributed", prediction=0, version=""), is_exit=True)
    exits = entries(world, Kind.ORDER)
    assert [one["order"] for one in exits] == ["exit", "unattributed"]
    assert all(one["is_exit"] and one["objection"] for one in exits)
    assert entries(world, Kind.CANCELLED)[0]["prediction"] == signal.seq


def off(model, state):
    return replace(flags(), model=model, state=FlagState(state), enabled=False, versions=(), revision=2)


def test_a_kill_leaves_the_model_answering_and_the_flags_say_what_may_trade(world):
    with world.open() as desk:
        world.flags = killed(flags(), 1)
        until(lambda: desk.flags().state == FlagState.KILLED)
        assert desk.predict("AAPL", ROW).value == 1.0


UNDER_LOAD = """
import sys
sys.path[:] = {path!r}
from array import array
from pathlib import Path
import signoff.desk
from approved_models import flags, pin_of_folder, release

place = Path({place!r})
listed = [
    release(f"momentum-{{name}}", name, pin_of_folder(place / "artifacts" / name)) for name in ("1.0.0", "1.1.0")
]
told = flags(candidate="1.1.0")
desk = signoff.desk.open(
    "momentum",
    control=None,
    flags=lambda _, name: told if name is None else told.for_version(name),
    releases=lambda: listed,
    artifacts=place / "artifacts",
    journal=place / "journal",
)
while not desk.host.candidate.is_ready:
    pass
rows = [array("d", [float(n), 1.0, 2.0]) for n in range(100)]
desk.predict("AAPL", rows[0])
while not desk.counted()["shadow"]["answered"]:
    pass
n = 1
while True:
    signal = desk.predict("AAPL", rows[n % 100])
    n += 1
    if n % 500 == 0 and desk.journal.wait_durable(signal.seq, 5):
        print(signal.seq, n, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.3, 1.0, 1.7])
def test_a_process_that_is_killed_while_it_predicts_leaves_a_journal_without_a_gap(world, capsys, after):
    place = world.artifacts.parent
    code = UNDER_LOAD.format(path=sys.path, place=str(place))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as desk:
        said = [desk.stdout.readline()]
        deadline = time.monotonic() + after
        while time.monotonic() < deadline:
            said.append(desk.stdout.readline())
        os.kill(desk.pid, signals.SIGKILL)
        said += desk.stdout.read().splitlines(keepends=True)
    seq, count = map(int, [line for line in said if line.endswith("\n") and line.strip()][-1].split())

    assert main(["journal", "check", str(world.journal), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert (found["gaps"], found["damage"]) == ([], None)
    assert found["last_seq"] >= seq, "an acknowledged prediction is missing"
    champions = [one for one in read(world.journal) if getattr(one, "version", "") == "1.0.0" and not one.is_shadow]
    assert len(champions) >= count
    assert {one.value - array("d", one.features[:8])[0] for one in champions} == {0.0}
    assert any(getattr(one, "is_shadow", False) for one in read(world.journal))

    with world.open() as again:  # the next process goes on in the same journal
        assert again.predict("AAPL", ROW).seq > found["last_seq"]


def test_a_desk_starts_fast():
    """Its import brings no model library and no server part."""
    code = (
        "import sys, signoff.desk; from signoff.desk import open, Fallback\n"
        "heavy = {'numpy', 'polars', 'lightgbm', 'xgboost', 'onnxruntime', 'sklearn', 'pydantic', 'mlflow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
