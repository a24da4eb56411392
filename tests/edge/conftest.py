import shutil

import pytest
import release_folder


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("release") / "dossier")


@pytest.fixture
def folder(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "dossier")
