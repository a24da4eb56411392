"""The page on the desk does what it says, against a real server: five lines open a model of scikit-learn."""

import json
import os
import re
import signal as signals
import subprocess
import sys
import time
from array import array
from contextlib import chdir
from pathlib import Path

import pytest

pytest.importorskip("mlflow")
pytest.importorskip("sklearn")

from http_server import Served, free_port

import signoff.desk
from signoff.adapters.mlflow_registry import MlflowRegistry
from signoff.adapters.signing_keys import KeyFile
from signoff.app.grandfather import Adoption, adopt
from signoff.cli.main import main
from signoff.desk.journal import Kind, read
from signoff.domain.artifacts import OtherBytesError
from signoff.domain.errors import RefusedError, UnavailableError
from signoff.domain.policy import Policy, Role
from signoff.verbs.local import Local

TEXT = (Path(__file__).parents[2] / "docs" / "desk.md").read_text()
REGISTERING, FETCHING, OPENING, TRADING, DECLARING = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in which the first blocks ran, and a server on which that model is the champion."""
    place = tmp_path_factory.mktemp("desk")
    server = Served(place / "home")
    with chdir(place):
        said = {}
        exec(REGISTERING, said)
        assert said["made"].known_output.startswith("not checked: not run by Signoff")
        registry = MlflowRegistry.open("sqlite:///ridge.db", artifacts=(str(place),))
        adoption = Adoption(model="ridge", version="1.0.0", policy=Policy(name="p", version="1"), reason="r")
        signatories = tuple(server.house.signatory(role) for role in (Role.RISK_MANAGER, Role.CTO))
        release = adopt(server.house.record, adoption, signatories, registry)
        document = Local(server.house, "t").deployments(model="ridge")
        assert document["deployments"][0]["artifacts"]["digest"] == said["made"].digest
        (place / "status.json").write_text(json.dumps(document))
        exec(FETCHING, {})
    server.start()
    yield place, server, release.id
    server.stop()


def given(place, server, journal):
    key = KeyFile.load(server.settings.home / "ledger.key")
    return {
        "url": server.url,
        "token": server.tokens["machine"],
        "keys": {key.key_id: key.public_key},
        "models": place / "models",
        "journal": journal,
    }


def opened(place, server, journal, *, model="ridge", **more):
    known = given(place, server, journal)
    asked = {"control": known["url"], "token": known["token"], "keys": known["keys"], "artifacts": known["models"]}
    return signoff.desk.open(model, **{**asked, "journal": journal, **more})


def test_the_five_lines_open_the_model_and_the_order_is_attributed(place, tmp_path, capsys):
    folder, server, deployment = place
    said = given(folder, server, tmp_path / "journal")
    exec(OPENING + TRADING + DECLARING, said)
    assert len([line for line in OPENING.splitlines() if line.strip()]) <= 5
    assert capsys.readouterr().out.startswith("1.0.0 0.0")
    kinds = {one.kind: one for one in read(tmp_path / "journal") if hasattr(one, "kind")}
    assert {Kind.ORDER, Kind.ACKNOWLEDGED, Kind.FILLED, Kind.FLAGS, Kind.HEARTBEAT} <= set(kinds)
    (prediction,) = [one for one in read(tmp_path / "journal") if not hasattr(one, "kind")]
    assert prediction.features == array("d", [0.8, -0.3]).tobytes()
    for kind in (Kind.ORDER, Kind.ACKNOWLEDGED, Kind.FILLED):
        ids = (kinds[kind].deployment, kinds[kind].says["version"], kinds[kind].says["prediction"])
        assert ids == (deployment, "1.0.0", prediction.seq)


def test_one_altered_byte_of_the_model_is_named_when_it_is_opened(place, tmp_path):
    folder, server, _ = place
    file = folder / "models" / "1.0.0" / "ridge.pkl"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        with pytest.raises(OtherBytesError, match=r"ridge\.pkl: expected sha256 \w{64}.* found sha256 \w{64}"):
            opened(folder, server, tmp_path / "journal")
    finally:
        file.write_bytes(content)


UNDER_LOAD = """
import sys
sys.path[:] = {path!r}
from array import array
from pathlib import Path
{opening}
while True:
    for n in range(200):
        signal = desk.predict("AAPL", array("d", [n / 100, 0.5]))
    if desk.journal.wait_durable(signal.seq, 5):
        print(signal.seq, flush=True)
"""


def test_a_process_that_is_killed_under_load_leaves_no_gap(place, tmp_path, capsys):
    folder, server, _ = place
    known = given(folder, server, tmp_path / "journal")
    names = "\n".join(f"{name} = {value!r}" for name, value in known.items() if isinstance(value, str | dict))
    names += f"\nmodels, journal = Path({str(known['models'])!r}), Path({str(known['journal'])!r})"
    code = UNDER_LOAD.format(path=sys.path, opening=f"{names}\n{OPENING}")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as desk:
        said = [desk.stdout.readline() for _ in range(12)]
        os.kill(desk.pid, signals.SIGKILL)
    assert main(["journal", "check", str(tmp_path / "journal"), "--json"]) == 0
    answer = capsys.readouterr().out
    found = json.loads(answer)
    assert found["gaps"] == []
    assert found["last_seq"] >= int(said[-1])
    assert found["by_kind"]["prediction"] >= 12 * 200 - 200


def test_a_token_that_may_not_read_and_a_server_that_is_down_keep_the_desk_closed(place, tmp_path):
    folder, server, _ = place
    with pytest.raises(UnavailableError, match=r"Expected the flags of ridge within 1 s, found none: .*\(401\)"):
        opened(folder, server, tmp_path / "journal", token="wrong", timeout_s=1)
    with pytest.raises(UnavailableError, match="no server listens at the address"):
        opened(folder, server, tmp_path / "journal", control=f"http://127.0.0.1:{free_port()}", timeout_s=1)
    with pytest.raises(UnavailableError, match="not signed by a key of ours"):
        opened(folder, server, tmp_path / "journal", keys={}, timeout_s=1)
    assert not (tmp_path / "journal").exists()


def test_a_champion_whose_artefacts_are_not_bound_is_not_opened(place, tmp_path):
    folder, server, _ = place
    with pytest.raises(RefusedError, match=r"momentum v1\.1\.0 cannot be loaded: artefacts not bound"):
        opened(folder, server, tmp_path / "journal", model="momentum")


def test_a_kill_is_seen_journaled_and_does_not_end_the_desk(place, tmp_path):
    """Last in this module: the model stays killed."""
    folder, server, _ = place
    with opened(folder, server, tmp_path / "journal") as desk:
        assert desk.flags().enabled
        server.client().post("/api/v1/models/ridge/kill", json={"reason": "a test"}).raise_for_status()
        deadline = time.monotonic() + 10
        while desk.flags().enabled:
            assert time.monotonic() < deadline, "the desk never saw the kill"
            time.sleep(0.005)
        assert not desk.predict("AAPL", array("d", [0.1, 0.2])).is_fallback
        desk.cancelled("o-1")
        while (
            len(found := [one.says for one in read(desk.journal.folder) if getattr(one, "kind", 0) == Kind.FLAGS]) < 2
        ):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert (found[-1]["state"], found[-1]["enabled"], found[-1]["kill_count"]) == ("killed", False, 1)
