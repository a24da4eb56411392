"""Clocks, calendars, brokers, folders: dull, and right."""

import json
from datetime import UTC, date, datetime

import pytest

from signoff.adapters import schema
from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.clocks import SimulatedClock
from signoff.adapters.folders import NoticeFile, ReleaseFolders, write_folder
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.domain.errors import BadInputError, RefusedError
from signoff.ports.notices import Severity
from signoff.ports.venue import OpenOrder


def test_sessions_know_holidays():
    found = ExchangeCalendar().days("XNYS", date(2018, 12, 31), date(2019, 1, 3))
    assert found == (date(2018, 12, 31), date(2019, 1, 2), date(2019, 1, 3))
    assert ExchangeCalendar().days("XNYS", date(2019, 1, 2), date(2019, 1, 1)) == ()


def test_an_unknown_exchange_names_the_nearest():
    with pytest.raises(BadInputError, match="XNYS"):
        ExchangeCalendar().days("XNYC", date(2019, 1, 1), date(2019, 1, 2))


def test_an_exchange_whose_later_holidays_nobody_knows_has_the_sessions_that_are_known():
    """Its decades cannot be built as a whole, since the package has them to a year of this decade."""
    found = ExchangeCalendar().days("XSHG", date(2024, 9, 30), date(2024, 10, 8))
    assert found == (date(2024, 9, 30), date(2024, 10, 8))
    with pytest.raises(BadInputError, match="covers, found 2038 to 2038"):
        ExchangeCalendar().days("XSHG", date(2038, 1, 4), date(2038, 1, 5))


@pytest.mark.parametrize(("first", "last"), [(1999, 2001), (2018, 2020), (2019, 2019), (2020, 2020), (2000, 2041)])
def test_a_question_over_the_ends_of_decades_has_every_session(first, last):
    found = ExchangeCalendar().days("XNYS", date(first, 1, 1), date(last, 12, 31))
    assert {day.year for day in found} == set(range(first, last + 1))
    assert (found[0].month, found[-1].month) == (1, 12)
    assert ExchangeCalendar().close("XNYS", found[0]).date() == found[0]


def test_each_published_schema_is_that_of_its_own_document(tmp_path):
    titles = {path.name: json.loads(path.read_text())["title"] for path in schema.write(tmp_path)}
    assert titles == {"dossier.schema.json": "Signoff dossier", "policy.schema.json": "Signoff policy"}


def test_simulated_time_never_runs_backwards():
    clock = SimulatedClock(datetime(2019, 1, 2, tzinfo=UTC))
    first = clock.now()
    clock.set(datetime(2018, 1, 1, tzinfo=UTC))
    assert clock.now() > first


def order(identity):
    return OpenOrder(client_order_id=identity, symbol="AAPL", side="buy", quantity=1.0)


def test_a_fence_refuses_older_orders_and_spares_other_models(tmp_path):
    broker = SimulatedBroker(tmp_path / "broker.json")
    broker.place([order("a-1"), order("b-1")], flags_revision=1)
    broker.fence("a-", 5)
    with pytest.raises(RefusedError, match="fenced"):
        broker.place([order("a-2")], flags_revision=5)
    broker.place([order("b-2")], flags_revision=1)
    assert broker.cancel("a-", 5) == 1
    again = SimulatedBroker(tmp_path / "broker.json")
    assert again.open_orders("a-") == ()
    assert len(again.open_orders("b-")) == 2
    again.lift("a-", 6)
    again.place([order("a-3")], flags_revision=6)


def test_people_are_told_once(tmp_path):
    notices = NoticeFile(tmp_path / "notices.jsonl")
    for _ in range(2):
        notices.send("one", "#trading", "subject", "text", Severity.NOTICE)
    assert len((tmp_path / "notices.jsonl").read_text().splitlines()) == 1


def test_a_folder_is_replaced_whole(tmp_path):
    folder = write_folder(tmp_path / "out", {"a/b.txt": b"1", "c.txt": b"2"})
    write_folder(folder, {"c.txt": b"3"})
    assert sorted(p.name for p in folder.rglob("*")) == ["c.txt"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_was_fetched_or_given_from_elsewhere_is_not_missed_in_the_submitted_folder(tmp_path):
    (tmp_path / "dossier").mkdir()
    (tmp_path / "dossier" / "trials.link").write_text("mlflow-children:abc")
    folders = ReleaseFolders(tmp_path / "releases")
    (tmp_path / "dossier" / "policy.yaml").write_text("name: not the one that was given")
    given = {"trials.link": b"mlflow-children:abc", "fetched/trials.parquet": b"PAR1", "policy.yaml": b"name: given"}
    folders.remember_origin("d", tmp_path / "dossier", given)
    assert folders.origin("d") == {"trials.link": b"mlflow-children:abc"}
    (tmp_path / "dossier" / "trials.link").unlink()
    assert folders.origin("d") == {"trials.link": b""}
