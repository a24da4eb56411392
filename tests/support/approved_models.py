"""Small models of every format as approved versions lie on a trading host: a folder each, and the pin of its files."""

import hashlib
import json
import pickle

import numpy as np
import registered_models

from signoff.domain.artifacts import Artifact, Pin
from signoff.domain.flags import Flags, FlagState, Share

FEATURES, ROWS = registered_models.FEATURES, registered_models.ROWS


def scikit_learn(folder):
    from sklearn.linear_model import Ridge

    values = ROWS.to_numpy()
    model = Ridge().fit(values, values.sum(axis=1))
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    return {"format": "pickle", "model": "model.pkl"}, model.predict(values)


FORMATS = {**registered_models.FORMATS, "pickle": scikit_learn}


def pin_of_folder(folder, *, number=1, model="momentum"):
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            files.append(Artifact(path=path.relative_to(folder).as_posix(), size=len(content), sha256=digest))
    return Pin(model=model, number=number, run_id=f"run-{number}", files=tuple(files))


def version(folder, make=registered_models.lightgbm, *, features=FEATURES, number=1):
    """The pin of a new version in this folder, and what its model gives for the rows."""
    folder.mkdir(parents=True)
    declared, output = make(folder)
    (folder / "inference.json").write_text(json.dumps(declared))
    names = [{"name": name, "type": "float64"} for name in features]
    (folder / "feature_schema.json").write_text(json.dumps({"features": names}))
    return pin_of_folder(folder, number=number), np.asarray(output, dtype=np.float64).ravel()


def python(code):
    """A maker of a version of the format python with this code."""
    return lambda folder: registered_models.python(folder, code)


def release(deployment, version, pin, *, model="momentum", state="full"):
    """A release as the server's API tells it, as far as a desk reads it."""
    files = [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in pin.files]
    bound = {"model": pin.model, "number": pin.number, "run_id": pin.run_id, "digest": pin.digest, "files": files}
    return {
        "deployment": deployment,
        "model": model,
        "version": version,
        "state": state,
        "artifacts": {"bound": True, "words": pin.words, **bound},
    }


def behaving(body, *, first=""):
    """A maker of a version whose `predict(self, table)` has this body: a pickle, since no library is slow to import."""

    def make(folder):
        lines = "\n".join(f"        {line}" for line in body.splitlines())
        (folder / "odd.py").write_text(
            f"import os, time\n{first}\nclass Odd:\n    def predict(self, table):\n{lines}\n"
        )
        (folder / "model.pkl").write_bytes(b"codd\nOdd\n(tR.")
        return {"format": "pickle", "model": "model.pkl"}, []

    return make


def share(name, state):
    is_shadow = state is FlagState.SHADOW
    return Share(version=name, state=state, enabled=True, allocation_pct=0 if is_shadow else 50, shadow_mode=is_shadow)


def flags(champion="1.0.0", candidate=None, *, state=FlagState.FULL, revision=1, candidate_state=FlagState.SHADOW):
    shares = [share(champion, FlagState.FULL)] if champion else []
    shares += [share(candidate, candidate_state)] if candidate else []
    return Flags(
        model="momentum",
        revision=revision,
        state=state,
        version=champion,
        candidate=candidate,
        enabled=state is FlagState.FULL,
        allocation_pct=100,
        shadow_mode=False,
        kill_count=0,
        versions=tuple(shares),
    )
