"""Small models in a registry, each of which multiplies its only input, registered as the how-to says."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from signoff.registry import Model, register

CODE = "def load(folder):\n    return lambda frame: {factor} * frame['x'].to_numpy()\n"
FILES = ("feature_schema.json", "inference.json", "known_input.parquet", "known_output.parquet", "times_model.py")


def model(place, factor, *, features=("x",)):
    """A model of the format python."""
    place.mkdir(parents=True, exist_ok=True)
    file = place / "times_model.py"
    file.write_text(CODE.format(factor=factor))
    rows = pl.DataFrame({name: [1.0, 2.0, 3.0] for name in features})
    outputs = [factor * one for one in (1.0, 2.0, 3.0)]
    return Model(
        file=file, format="python", loader="times_model:load", features=features, known_input=rows, known_output=outputs
    )


def registered(place, uri, version, factor, name="momentum", **described):
    """A version, from a folder of its own beneath `place`."""
    return register(model(place / f"made-{version}-{factor}", factor), uri=uri, name=name, version=version, **described)


def folder_of(place, registered):
    """Where the registry keeps the files of a version."""
    (found,) = Path(place).glob(f"**/{registered.run_id}/artifacts/model")
    return found


def registered_again(uri, registered):
    """What somebody with the right to write does: another registration under the same version; its number."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    run = client.get_run(registered.run_id)
    tags = {"version": registered.version}
    source = f"{run.info.artifact_uri}/model"
    return int(client.create_model_version(registered.pin.model, source, registered.run_id, tags=tags).version)


def altered(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def emptied(path):
    path.write_bytes(b"")


def truncated(path):
    path.write_bytes(path.read_bytes()[:-1])


def lengthened(path):
    path.write_bytes(path.read_bytes() + b"\n")


def removed(path):
    path.unlink()


def renamed(path):
    path.rename(path.with_name(f"{path.name}.old"))


def added(path):
    path.with_name(f"{path.name}.new").write_bytes(b"more")


def linked(path):
    """The same bytes, behind a link to elsewhere."""
    away = path.parents[4] / f"away-{path.name}"
    shutil.move(path, away)
    path.symlink_to(away)


ATTACKS = (altered, emptied, truncated, lengthened, removed, renamed, added, linked)


@contextmanager
def attacked(folder, attack, name):
    """A folder of the registry as somebody left it, and as it was again afterwards."""
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    try:
        attack(folder / name)
        yield
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)
