"""What the how-to on registering a model tells people to type does what it says."""

import json
import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("mlflow")
from signoff.registry import OtherBytesError

# LightGBM takes a second to load, and each worker collects this file.
pytestmark = pytest.mark.skipif(find_spec("lightgbm") is None, reason="LightGBM is not installed here")

TEXT = (Path(__file__).parents[2] / "docs" / "register-a-model.md").read_text()
FENCES = re.findall(r"```(\w*)\n(.*?)```", TEXT, re.DOTALL)
REGISTERING, LOADING = (body for kind, body in FENCES if kind == "python")
(SUMS,) = (body for kind, body in FENCES if not kind)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in which the first block ran; what it made, and the release that is bound to it."""
    place, before = tmp_path_factory.mktemp("register"), Path.cwd()
    os.chdir(place)
    try:
        said = {}
        exec(REGISTERING, said)
    finally:
        os.chdir(before)
    pin = said["made"].pin
    files = [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in pin.files]
    bound = {"model": pin.model, "number": pin.number, "run_id": pin.run_id, "digest": pin.digest, "files": files}
    (place / "status.json").write_text(json.dumps({"deployments": [{"artifacts": bound}]}))
    (place / "digest").write_text(pin.digest)
    return place


def model_folder(place):
    (found,) = place.glob("artifacts/*/artifacts/model")
    return found


def test_the_registered_version_works_and_its_digest_is_what_sha256sum_gives(place):
    from signoff.adapters.mlflow_registry import MlflowRegistry

    assert MlflowRegistry.open(f"sqlite:///{place / 'mlflow.db'}").verify("mymodel", "1.0.0").is_working
    ran = subprocess.run(["sh", "-c", SUMS], cwd=model_folder(place).parent, capture_output=True, text=True, check=True)
    assert ran.stdout.split()[0] == (place / "digest").read_text()


def test_a_process_that_trades_gets_the_approved_files_and_no_others(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    exec(LOADING, {})
    assert "model.txt" in capsys.readouterr().out
    file = model_folder(place) / "model.txt"
    kept = file.read_bytes()
    file.write_bytes(kept + b" ")
    try:
        with pytest.raises(OtherBytesError, match=r"model\.txt: expected sha256 .* found sha256"):
            exec(LOADING.replace("approved", "again"), {})
    finally:
        file.write_bytes(kept)
    assert not Path("again").exists()
