"""What every model registry keeps to: a database file opened here, and a tracking server over HTTP."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import empty_registry
import polars as pl
import pytest

pytest.importorskip("mlflow")

import small_models
from tracking_server import tracking_server

from signoff.adapters.mlflow_registry import REQUIRED, MlflowRegistry
from signoff.domain.artifacts import MOST_KEPT, MOST_KEPT_TOGETHER, Artifact, OddArtifactError, OtherBytesError, Pin
from signoff.domain.decisions.submission import redeployable
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError, UnavailableError
from signoff.domain.memo.document import Mark
from signoff.domain.memo.markup import checked_version
from signoff.registry import Model, fetch, pin_of, register

# One worker starts the server, and every test of the contract uses it.
SERVING = ("flask", "flask_cors", "aiohttp", "uvicorn")
LACKING = [name for name in SERVING if find_spec(name) is None]
SERVED = pytest.param(
    "served",
    marks=[
        pytest.mark.real,
        pytest.mark.slow,
        pytest.mark.skipif(bool(LACKING), reason=f"`mlflow server` needs {', '.join(LACKING)}"),
    ],
)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """A registry of each kind with two versions of one model, made when it is first asked for."""
    made = {}
    with ExitStack() as servers:

        def of(kind):
            if kind not in made:
                place = tmp_path_factory.mktemp(kind)
                is_local = kind == "local"
                uri = empty_registry.uri_in(place) if is_local else servers.enter_context(tracking_server(place))
                made[kind] = furnished(place, uri)
            return made[kind]

        yield of


@pytest.fixture(params=["local", SERVED])
def world(request, worlds):
    return worlds(request.param)


def furnished(place, uri):
    made = {v: small_models.registered(place, uri, v, f, "m") for v, f in (("1.0.0", 2.0), ("2.0.0", 3.0))}
    folders = {version: small_models.folder_of(place, each) for version, each in made.items()}
    return SimpleNamespace(place=place, uri=uri, made=made, folders=folders, registry=MlflowRegistry.open(uri))


def test_a_version_is_described_with_its_number_and_its_files(world):
    made = world.made["1.0.0"]
    assert world.registry.version("m", "1.0.0").number == made.number
    held = world.registry.artifacts("m", "1.0.0")
    assert held.pin == made.pin
    assert tuple(held.contents) == small_models.FILES
    assert held.contents["times_model.py"] == (world.folders["1.0.0"] / "times_model.py").read_bytes()


def test_what_is_not_registered_is_none(world):
    assert world.registry.version("m", "9.9.9") is None
    assert world.registry.artifacts("m", "9.9.9") is None
    assert world.registry.artifacts("m", "1.0.0", number=99) is None
    assert not world.registry.verify("m", "9.9.9").is_working


def test_a_pinned_version_works_with_its_own_bytes(world):
    for version, made in world.made.items():
        assert world.registry.verify("m", version, pin=made.pin).is_working


def seen(world, attack):
    """Whether a reader can see it: what a server reads through a link on its own disk are the pinned bytes."""
    return world.uri.startswith("sqlite") or attack is not small_models.linked


@pytest.mark.parametrize("attack", small_models.ATTACKS)
def test_a_pinned_version_with_other_bytes_does_not_work_and_names_the_file(world, attack):
    with small_models.attacked(world.folders["1.0.0"], attack, "times_model.py"):
        found = world.registry.verify("m", "1.0.0", pin=world.made["1.0.0"].pin)
    assert found.is_working is not seen(world, attack)
    assert "times_model.py" in found.detail or not seen(world, attack)
    assert "Traceback" not in found.detail


@pytest.mark.parametrize("attack", small_models.ATTACKS)
def test_the_mark_of_a_version_changes_with_its_files_and_stays_otherwise(world, attack):
    def mark():
        return world.registry.stamp("m", "1.0.0", number=world.made["1.0.0"].number)

    before = mark()
    assert before == mark() is not None
    with small_models.attacked(world.folders["1.0.0"], attack, "times_model.py"):
        if world.uri.startswith("sqlite"):
            try:
                assert mark() != before
            except OddArtifactError:
                assert attack is small_models.linked
        elif attack not in {small_models.altered, small_models.linked}:
            assert mark() != before, "a server tells names and sizes"
    assert world.registry.stamp("m", "9.9.9") is None


@pytest.mark.parametrize("attack", small_models.ATTACKS)
def test_a_loader_gets_the_pinned_bytes_or_nothing(world, tmp_path, attack):
    pin, into = world.made["2.0.0"].pin, tmp_path / "into"
    if not seen(world, attack):
        return
    with small_models.attacked(world.folders["2.0.0"], attack, "known_output.parquet"):
        with pytest.raises((OtherBytesError, OddArtifactError, UnavailableError), match=r"known_output\.parquet"):
            fetch(pin, into, uri=world.uri)
        assert not into.exists()
    folder = fetch(pin, into, uri=world.uri)
    assert sorted(path.name for path in folder.iterdir()) == list(small_models.FILES)


def test_a_second_registration_is_seen_and_the_first_one_is_loaded(world):
    from mlflow import MlflowClient

    made = world.made["2.0.0"]
    number = small_models.registered_again(world.uri, made)
    try:
        seen = world.registry.registered("m", "champion", ("2.0.0",))
        assert seen.registrations["2.0.0"] == (made.number, number)
        assert world.registry.artifacts("m", "2.0.0").pin.number == number
        assert world.registry.artifacts("m", "2.0.0", number=made.number).pin == made.pin
        world.registry.point("m", "champion", "2.0.0", number=made.number)
        assert world.registry.registered("m", "champion", ("2.0.0",)).alias_number == made.number
    finally:
        MlflowClient(tracking_uri=world.uri, registry_uri=world.uri).delete_model_version("m", str(number))


def test_an_alias_names_a_version_and_nothing_that_is_not_there(world):
    world.registry.point("m", "candidate", "2.0.0")
    assert world.registry.registered("m", "candidate", ()).alias_version == "2.0.0"
    with pytest.raises(NotFoundError):
        world.registry.point("m", "candidate", "9.9.9")
    with pytest.raises(NotFoundError, match="number 99"):
        world.registry.point("m", "candidate", "2.0.0", number=99)


def test_readiness_follows_from_what_is_attached(world):
    number = world.made["1.0.0"].number
    assert world.registry.attach("m", "1.0.0", {"model_card.md": b"card"}, number=number) == REQUIRED[1:]
    assert world.registry.attach("m", "1.0.0", dict.fromkeys(REQUIRED, b"x"), number=number) == ()
    assert world.registry.version("m", "1.0.0").tags["governance_ready"] == "true"
    assert world.registry.artifacts("m", "1.0.0").pin == world.made["1.0.0"].pin


def test_registering_the_same_again_changes_nothing_and_other_bytes_are_refused(world):
    made = world.made["1.0.0"]
    assert small_models.registered(world.place, world.uri, "1.0.0", 2.0, "m") == made
    with pytest.raises(RefusedError, match=r"m v1\.0\.0 is registered already, as number 1: known_output\.parquet"):
        small_models.registered(world.place, world.uri, "1.0.0", 5.0, "m")
    assert world.registry.registered("m", "champion", ("1.0.0",)).registrations["1.0.0"] == (made.number,)


BASE = {"format": "python", "loader": "times_model:load", "features": ("x",), "known_output": [2.0, 4.0, 6.0]}
ROWS = pl.DataFrame({"x": [1.0, 2.0, 3.0]})
ODD = {
    "a format of its own": ({"format": "joblib"}, "a format among"),
    "a pickle with a loader": ({"format": "pickle"}, "a loader for the format python alone"),
    "no loader": ({"loader": None}, "a loader for the format python"),
    "no feature": ({"features": ()}, "names of the features"),
    "a feature twice": ({"features": ("x", "x")}, "each once"),
    "another column": ({"features": ("y",)}, "one column a feature"),
    "too few outputs": ({"known_output": [1.0]}, "found 1 for 3 rows"),
    "no number": ({"known_output": [1.0, float("nan"), 2.0]}, "1 of them not finite"),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_model_that_could_not_be_verified_is_not_registered(tmp_path, odd):
    changed, said = ODD[odd]
    (tmp_path / "times_model.py").write_text(small_models.CODE.format(factor=2.0))
    model = Model(file=tmp_path / "times_model.py", known_input=ROWS, **{**BASE, **changed})
    with pytest.raises(BadInputError, match=said):
        register(model, uri=empty_registry.uri_in(tmp_path), name="m", version="1.0.0")


PIN = Pin(model="m", number=1, run_id="r", files=(Artifact(path="a", size=1, sha256="0" * 64),))


def test_a_pin_is_read_from_what_status_says_and_a_damaged_one_is_refused():
    files = [{"path": "a", "size": 1, "sha256": "0" * 64}]
    said = {"model": "m", "number": 1, "run_id": "r", "digest": PIN.digest, "files": files}
    assert pin_of(said) == PIN
    for changed in ({"files": []}, {"digest": "1" * 64}, {"number": None}):
        with pytest.raises(BadInputError):
            pin_of({**said, **changed})


def test_large_files_are_bound_by_their_digest_alone():
    def listed(*sizes):
        files = tuple(Artifact(path=f"{n}", size=size, sha256="0" * 64) for n, size in enumerate(sizes))
        pin = Pin(model="m", number=1, run_id="r", files=files)
        return [file.path for file in pin.by_digest_alone]

    assert listed(MOST_KEPT, 1) == []
    assert listed(1, MOST_KEPT + 1, 1) == ["1"]
    assert listed(*[MOST_KEPT] * (MOST_KEPT_TOGETHER // MOST_KEPT), 1) == ["4"]


TWO = "def load(folder):\n    return lambda frame: (frame.to_numpy() @ [1.0, 10.0])\n"


def two_features(place, features=("a", "b"), outputs=(21.0, 43.0), code=TWO):
    place.mkdir()
    file = place / "weighted_model.py"
    file.write_text(code)
    rows = pl.DataFrame({"a": [1.0, 3.0], "b": [2.0, 4.0]}).select(features)
    return Model(
        file=file,
        format="python",
        loader="weighted_model:load",
        features=features,
        known_input=rows,
        known_output=outputs,
    )


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    place = tmp_path_factory.mktemp("own")
    return empty_registry.uri_in(place)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"outputs": (21.0, 44.0)}, "1 of 2 rows, the first row 1: known_output 44, the model 43"),
        ({"outputs": (0.0, 0.0)}, "2 of 2 rows, the first row 0"),
        ({"features": ("b", "a")}, "the features in the model's order"),
        ({"outputs": (21.0, 43.001)}, "1 of 2 rows"),
        ({"code": TWO.replace("(frame", "[0.0] * 3 or (frame")}, "the model gave 3"),
    ],
)
def test_a_known_output_that_the_model_does_not_give_is_refused_at_registration(own, tmp_path, changed, words):
    with pytest.raises(BadInputError, match=words):
        register(two_features(tmp_path / "m", **changed), uri=own, name="m", version="1")


def test_a_registration_says_whether_its_known_output_was_checked(own, tmp_path):
    made = register(two_features(tmp_path / "m"), uri=own, name="checked", version="1")
    assert made.known_output.startswith("checked: 2 known rows; the model ran ")
    broken = two_features(tmp_path / "n", code="import nothing_of_that_name\n" + TWO)
    made = register(broken, uri=own, name="checked", version="2")
    assert made.known_output.startswith("not checked: ")
    assert "nothing_of_that_name" in made.known_output


@pytest.mark.parametrize("kind", ["ridge", "opens a file", "no pickle at all"])
def test_a_pickle_is_registered_bound_and_never_opened_and_everything_says_so(own, tmp_path, kind):
    import pickle

    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "opened"), "w")

    def ridge():
        from sklearn.linear_model import Ridge

        return pickle.dumps(Ridge().fit([[1.0, 20.0], [3.0, 40.0]], [21.0, 43.0]))

    content = {"ridge": ridge, "opens a file": lambda: pickle.dumps(Evil()), "no pickle at all": lambda: b"no"}[kind]()
    (tmp_path / "model.pkl").write_bytes(content)
    known = replace(two_features(tmp_path / "m"), file=tmp_path / "model.pkl", format="pickle", loader=None)
    name = f"pickled-{kind.replace(' ', '-')}"

    made = register(known, uri=own, name=name, version="1")

    assert made.known_output.startswith("not checked: not run by Signoff, which unpickles nothing")
    registry = MlflowRegistry.open(own, artifacts=(str(tmp_path.parent),))
    check = registry.verify(name, "1", pin=made.pin)
    assert check.is_working is None
    assert checked_version(check).mark is Mark.INCONCLUSIVE
    assert "the trading process alone opens a pickle" in checked_version(check).text
    with pytest.raises(RefusedError, match="cannot be redeployed: not run by Signoff"):
        redeployable(name, "1", check)
    with pytest.raises(BadInputError, match="cannot be measured: not run by Signoff"):
        registry.benchmark(name, "1", calls=20, now=lambda: datetime.now(UTC))
    assert not (tmp_path / "opened").exists()

    file = next(Path(own.removeprefix("sqlite:///")).parent.glob(f"**/{made.run_id}/artifacts/model/model.pkl"))
    file.write_bytes(content + b"x")
    check = registry.verify(name, "1", pin=made.pin)
    assert check.is_working is False
    assert "model.pkl: expected sha256" in check.detail
