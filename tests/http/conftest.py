import pytest
from http_server import Served


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    server = Served(tmp_path_factory.mktemp("served") / "home").start()
    yield server
    server.stop()


@pytest.fixture
def own_server(tmp_path):
    server = Served(tmp_path / "home").start()
    yield server
    server.stop()
