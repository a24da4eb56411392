"""Files that several threads and processes change at once lose nothing."""

from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest

from signoff.adapters.folders import NoticeFile
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.domain.errors import UnavailableError
from signoff.ports.notices import Severity
from signoff.ports.venue import OpenOrder


def test_notices_of_workers_that_race_are_all_kept(tmp_path):
    path = tmp_path / "notices.jsonl"
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda n: NoticeFile(path).send(f"n{n}", "email", "s", "t", Severity.NOTICE), range(40)))
    assert len(path.read_text().splitlines()) == 40


def test_a_notice_that_cannot_be_written_stays_due(tmp_path):
    (tmp_path / "notices.jsonl").mkdir()
    with pytest.raises(UnavailableError, match="It stays due"):
        NoticeFile(tmp_path / "notices.jsonl").send("n", "email", "s", "t", Severity.NOTICE)


def test_an_order_cancelled_while_somebody_reads_the_book_stays_cancelled(tmp_path, monkeypatch):
    broker = SimulatedBroker(tmp_path / "book.json")
    broker.place([OpenOrder(client_order_id="m:1", symbol="A", side="buy", quantity=1.0)], flags_revision=0)
    saved, readers = SimulatedBroker._save, []

    def slow(self, path):
        readers.append(Thread(target=self.open_orders, args=("m:",)))
        readers[-1].start()
        readers[-1].join(0.3)
        saved(self, path)

    monkeypatch.setattr(SimulatedBroker, "_save", slow)
    assert broker.cancel("m:", 1) == 1
    readers[0].join()
    assert broker.open_orders("m:") == ()
