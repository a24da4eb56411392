"""An empty MLflow database in a folder: its tables are made once a process, which takes a second, and then copied."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


def uri_in(place):
    """The URI of the folder's database, which is made where there is none."""
    path = Path(place) / "mlflow.db"
    if not path.exists():
        shutil.copyfile(_template(), path)
    return f"sqlite:///{path}"


@cache
def _template():
    from mlflow import MlflowClient

    folder = Path(tempfile.mkdtemp(prefix="signoff-mlflow-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    uri = f"sqlite:///{folder / 'empty.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.search_experiments()
    client.search_registered_models()
    return folder / "empty.db"
