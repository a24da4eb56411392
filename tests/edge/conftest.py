import shutil

import pytest
import release_folder
import replays


@pytest.fixture(scope="module", autouse=True)
def remembered_replays():
    with replays.remembered():
        yield


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("release") / "dossier")


@pytest.fixture
def folder(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "dossier")
