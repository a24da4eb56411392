"""Large archives that many send at the same time: they wait on disk, and leave nothing there."""

import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from http_server import Served
from test_slow_peers import connected, memory_of, sent

from signoff.http import uploads

LARGE = 60 << 20
AT_ONCE = 8


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    server = Served(tmp_path_factory.mktemp("uploads") / "home").start()
    yield server
    server.stop()


def archive(size):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as made:
        made.writestr("noise.bin", bytes(size))
    return buffer.getvalue()


def checked(server, content):
    client = server.client()
    client.timeout = 300
    return client.post("/api/v1/checks", content=content, headers={"content-type": "application/zip"})


def most_memory_while(server, work):
    """The most bytes that the server held during some work."""
    is_over, seen = threading.Event(), [memory_of(server)]

    def watch():
        while not is_over.wait(0.02):
            seen.append(memory_of(server))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        work()
    finally:
        is_over.set()
        watching.join()
    return max(seen)


@pytest.mark.slow
def test_eight_archives_of_60_mb_at_once_are_not_held_in_memory(served):
    assert checked(served, archive(10)).status_code == 422
    before, content = memory_of(served), archive(LARGE)

    def all_at_once():
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda _: checked(served, content), range(AT_ONCE)))
        assert {answer.status_code for answer in answers} == {422}

    assert most_memory_while(served, all_at_once) - before < 150 << 20
    assert list((served.settings.home / "uploads").iterdir()) == []


def test_an_archive_that_breaks_off_leaves_nothing_on_the_disk(served):
    token = served.tokens["risk_manager"]
    head = (
        f"POST /api/v1/checks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/zip\r\n"
    )
    with connected(served) as peer:
        sent(peer, f"{head}content-length: 90000000\r\n\r\n".encode() + bytes(5 << 20))
    assert checked(served, archive(10)).status_code == 422
    assert list((served.settings.home / "uploads").iterdir()) == []


def test_the_folder_of_archives_is_the_servers_alone(served):
    checked(served, archive(10))
    assert (served.settings.home / "uploads").stat().st_mode & 0o777 == 0o700


def test_more_than_all_archives_may_take_is_refused_and_counted_out_again(tmp_path, monkeypatch):
    import anyio

    from signoff.domain.errors import UnavailableError

    monkeypatch.setattr(uploads, "MOST_SPOOLED", 1000)

    async def fill():
        with (tmp_path / "spool").open("w+b") as file:
            spool = uploads.Spool(file)
            await spool.add(bytes(900))
            with pytest.raises(UnavailableError, match="try again later"):
                await spool.add(bytes(200))
            spool.close()

    anyio.run(fill)
    assert uploads.Spool.taken == 0
