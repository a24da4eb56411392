"""What every store promises, whichever it is."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import postgres
import pytest
from small_ledger import LEDGER_KEY, NOW, append, commit, killed, memory_store, paused, sqlite_url

from signoff.adapters import store_sql
from signoff.adapters.database import initialise
from signoff.adapters.sqlite_looks import SqliteLooks, looked_at
from signoff.adapters.store_sql import SqlStore
from signoff.domain.errors import BadInputError, ConflictError, NotFoundError, RefusedError, StaleRevisionError
from signoff.domain.events import Level, Reading, Reviewed
from signoff.ledger.canonical import digest
from signoff.ledger.checkpoint import ORIGIN, open_note
from signoff.ledger.codec import decode
from signoff.ledger.merkle import frontier_of, leaf_hash
from signoff.ports.store import LONGEST_WAIT, Append, Backlog, Effect, Store, Tried

Open = Callable[[Path], Store]


def sql_store(folder: Path) -> SqlStore:
    return SqlStore(sqlite_url(folder), sign=LEDGER_KEY.sign_checkpoint, blobs=folder / "blobs")


class LookedAt:
    """A store that is written by the SQL store, and read by looks wherever a look can read."""

    def __init__(self, folder: Path) -> None:
        self.store = sql_store(folder)
        self.looks = SqliteLooks(looked_at(sqlite_url(folder)), otherwise=self._never)

    def _never(self) -> Store:
        raise AssertionError("a look was left to the SQL store")

    def __getattr__(self, name: str):
        return getattr(self.looks if name in {"load", "streams", "names", "page"} else self.store, name)


def postgres_store(folder: Path) -> SqlStore:
    return SqlStore(postgres.fresh_database(), sign=LEDGER_KEY.sign_checkpoint, blobs=folder / "blobs")


def least_privileged_store(folder: Path) -> SqlStore:
    url = postgres.fresh_database()
    initialise(url, role="signoff_app")
    return SqlStore(postgres.as_role(url, "signoff_app"), sign=LEDGER_KEY.sign_checkpoint, blobs=folder / "blobs")


@pytest.fixture(
    params=[
        pytest.param(lambda _: memory_store(), id="memory"),
        pytest.param(sql_store, id="sqlite"),
        pytest.param(LookedAt, id="sqlite, looked at"),
        pytest.param(postgres_store, id="postgresql", marks=pytest.mark.real),
        pytest.param(least_privileged_store, id="least privileged", marks=pytest.mark.real),
    ]
)
def store(request, tmp_path) -> Store:
    return request.param(tmp_path)


def ledger(store: Store) -> list[bytes]:
    return [row.body for row in store.rows()]


def test_an_empty_store_has_nothing(store):
    assert store.load("s") is None
    assert store.streams("") == ()
    assert ledger(store) == []
    assert store.pending() == ()
    assert store.checkpoint() is None
    assert store.blobs() == ()


def test_a_commit_appends_events_and_replaces_the_state(store):
    done = store.commit(commit(append("s", paused("a"), paused("b"), state=b"[1]"), key="1"))
    assert (done.seq, done.is_replay) == (2, False)
    store.commit(commit(append("s", paused("c"), state=b"[2]", expected=2), key="2"))
    found = store.load("s")
    assert (found.stream, found.revision, found.state) == ("s", 3, b"[2]")
    recorded = [decode(body) for body in ledger(store)]
    assert [(r.stream, r.revision, r.event.note, r.at, r.actor) for r in recorded] == [
        ("s", 1, "a", NOW, "t"),
        ("s", 2, "b", NOW, "t"),
        ("s", 3, "c", NOW, "t"),
    ]


def test_one_commit_may_touch_several_streams(store):
    store.commit(commit(append("a", paused()), append("b", paused(), paused()), key="1"))
    assert [(s.stream, s.revision) for s in store.streams("")] == [("a", 1), ("b", 2)]


def test_streams_are_found_by_prefix_taken_literally(store):
    for n, name in enumerate(("model/b", "model/a", "model%x", "people", "model_c")):
        store.commit(commit(append(name), key=str(n)))
    assert [s.stream for s in store.streams("model/")] == ["model/a", "model/b"]
    assert [s.stream for s in store.streams("model%")] == ["model%x"]
    assert [s.stream for s in store.streams("model_")] == ["model_c"]


def test_the_same_request_again_returns_what_was_done(store):
    request = commit(append("s", expected=0), key="k", effects=(Effect(identity="e", kind="n", payload=b"1"),))
    first = store.commit(request)
    store.commit(commit(append("other"), key="later"))
    again = store.commit(request)
    assert (again.seq, again.is_replay) == (first.seq, True)
    assert len(ledger(store)) == 2
    assert len(store.pending()) == 1


def test_the_same_key_with_another_request_is_a_conflict(store):
    store.commit(commit(append("s"), key="k", request="one"))
    with pytest.raises(ConflictError):
        store.commit(commit(append("s"), key="k", request="two"))
    assert len(ledger(store)) == 1


@pytest.mark.parametrize("expected", [0, 2])
def test_a_stale_revision_is_refused(store, expected):
    store.commit(commit(append("s"), key="1"))
    with pytest.raises(StaleRevisionError):
        store.commit(commit(append("s", expected=expected), key="2"))
    assert store.load("s").revision == 1


def test_without_an_expected_revision_nothing_is_stale(store):
    store.commit(commit(append("s", killed(1)), key="1"))
    store.commit(commit(append("s", killed(2)), key="2"))
    assert store.load("s").revision == 2


def test_a_refused_commit_leaves_nothing_behind(store):
    store.commit(commit(append("a"), append("b"), key="1"))
    before = (ledger(store), store.streams(""), store.checkpoint())
    effects = (Effect(identity="e", kind="n", payload=b""),)
    with pytest.raises(StaleRevisionError):
        store.commit(commit(append("a", expected=1), append("b", expected=0), key="2", effects=effects))
    assert (ledger(store), store.streams(""), store.checkpoint()) == before
    assert store.pending() == ()
    assert store.commit(commit(append("a", expected=1), append("b", expected=1), key="2")).is_replay is False


def test_of_two_who_decided_on_the_same_state_one_wins(store):
    store.commit(commit(append("s"), key="0"))
    start = Barrier(2)

    def race(name: str) -> str:
        start.wait()
        try:
            store.commit(commit(append("s", paused(name), expected=1), key=name))
        except RefusedError:
            return "refused"
        return "won"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(race, ("x", "y")))
    assert outcomes == ["refused", "won"]
    assert store.load("s").revision == 2
    assert len(ledger(store)) == 2


def test_many_at_once_lose_nothing(store):
    def work(n: int) -> None:
        for m in range(5):
            store.commit(commit(append(f"s{n}"), append("shared"), key=f"{n}:{m}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert store.load("shared").revision == 20
    assert [row.seq for row in store.rows()] == list(range(1, 41))
    assert_checkpoint_covers(store)


def assert_checkpoint_covers(store: Store) -> None:
    bodies = ledger(store)
    checkpoint = open_note(store.checkpoint() or b"", ORIGIN, LEDGER_KEY.public_bytes)
    assert checkpoint.size == len(bodies)
    assert checkpoint.root == frontier_of([leaf_hash(body) for body in bodies]).root


def test_every_commit_signs_the_tree_over_everything_so_far(store):
    for n in range(9):
        store.commit(commit(append(f"s{n % 2}", *[paused(str(n))] * (n % 3 + 1)), key=str(n)))
        assert_checkpoint_covers(store)


def test_rows_are_in_order_from_anywhere_and_of_one_stream(store):
    for n in range(4):
        store.commit(commit(append("even" if n % 2 == 0 else "odd", paused(str(n))), key=str(n)))
    assert [row.seq for row in store.rows()] == [1, 2, 3, 4]
    assert [row.seq for row in store.rows(after=2)] == [3, 4]
    assert [row.seq for row in store.rows(stream="odd")] == [2, 4]
    assert [row.seq for row in store.rows(after=2, stream="odd")] == [4]
    assert list(store.rows(after=4)) == []
    assert list(store.rows(stream="od")) == []


def test_a_page_holds_rows_of_the_streams_asked_for_and_no_more(store):
    for n, stream in enumerate("abcacba"):
        store.commit(commit(append(stream, paused(str(n))), key=str(n)))

    def page(*streams, **how):
        return [row.seq for row in store.page(streams, **how)]

    every = {row.seq: row.body for row in store.rows()}
    assert page("a") == [1, 4, 7]
    assert page("c", "a") == [1, 3, 4, 5, 7]
    assert page("c", "a", limit=2) == [1, 3]
    assert page("c", "a", after=3, limit=2) == [4, 5]
    assert page("c", "a", after=7) == []
    assert page("unknown", "b") == [2, 6]
    assert page() == []
    assert all(row.body == every[row.seq] for row in store.page(["a", "b", "c"]))


def test_pages_that_follow_one_another_tell_everything_once_while_the_ledger_grows(store):
    for n in range(6):
        store.commit(commit(append("s", paused(str(n))), append("other"), key=str(n)))
    told, after = [], 0
    while page := store.page(["s"], after=after, limit=2):
        told += [row.seq for row in page]
        after = page[-1].seq
        if len(told) < 8:
            store.commit(commit(append("other"), append("s", paused("late")), key=f"late {after}"))
    assert told == [row.seq for row in store.rows(stream="s")]


def test_effects_wait_in_order_until_done_once(store):
    effects = tuple(Effect(identity=i, kind="notice", payload=i.encode()) for i in ("z", "a", "m"))
    store.commit(commit(append("s"), key="1", effects=effects))
    assert store.pending() == effects
    store.done("a", "sent", NOW)
    store.done("a", "sent again", NOW)
    assert [e.identity for e in store.pending()] == ["z", "m"]


def test_an_effect_of_the_same_identity_is_enqueued_once(store):
    effect = Effect(identity="e", kind="notice", payload=b"first")
    store.commit(commit(append("s"), key="1", effects=(effect,)))
    store.commit(commit(append("s"), key="2", effects=(Effect(identity="e", kind="notice", payload=b"second"),)))
    assert store.pending() == (effect,)
    store.done("e", "sent", NOW)
    store.commit(commit(append("s"), key="3", effects=(effect,)))
    assert store.pending() == ()


def test_what_nobody_asked_for_cannot_be_done(store):
    with pytest.raises(NotFoundError):
        store.done("unheard of", "sent", NOW)


def test_effects_may_be_committed_without_events(store):
    effect = Effect(identity="e", kind="notice", payload=b"")
    assert store.commit(commit(key="1", effects=(effect, effect))).seq == 0
    assert store.pending() == (effect,)
    assert store.checkpoint() is None


def test_a_stream_may_be_named_twice_in_one_commit(store):
    store.commit(commit(append("s", expected=0), append("s", expected=1, state=b"[2]"), key="1"))
    assert (store.load("s").revision, store.load("s").state) == (2, b"[2]")


@pytest.mark.parametrize(
    "refused",
    [
        Reviewed(readings=(Reading(key="x", value=float("nan"), level=Level.OK),), targets_met=True),
        replace(killed(), epoch="one"),
        paused("\ud800"),
    ],
    ids=["not a number", "another type", "no text"],
)
def test_an_event_that_could_not_be_read_again_is_not_kept(store, refused):
    with pytest.raises(BadInputError):
        store.commit(commit(append("a"), append("b", refused), key="1"))
    assert ledger(store) == []
    assert store.streams("") == ()
    assert store.commit(commit(append("a"), key="1")).seq == 1


def test_state_never_changes_without_an_event(store):
    empty = Append(stream="s", expected_revision=0, events=(), state=b"[]")
    with pytest.raises(BadInputError, match="only by events"):
        store.commit(commit(empty, key="1"))
    assert store.load("s") is None


def test_a_time_without_a_zone_is_refused(store):
    with pytest.raises(BadInputError, match="zone"):
        store.commit(replace(commit(append("s")), at=NOW.replace(tzinfo=None)))


def test_a_blob_is_kept_once_by_its_hash(store):
    name = store.put_blob(b"content")
    assert name == digest(b"content") == store.put_blob(b"content")
    empty = store.put_blob(b"")
    assert store.blob(name) == b"content"
    assert store.blobs() == tuple(sorted((name, empty)))


def test_a_blob_that_nobody_kept_is_not_found(store):
    with pytest.raises(NotFoundError):
        store.blob("0" * 64)


def test_lists_are_narrowed_by_model_and_label_and_paged_by_name(store):
    for n, (model, label) in enumerate([("a", "full"), ("b", "full"), ("a", "shadow"), ("a", "full")]):
        one = replace(append(f"deployment/{n}"), model=model, label=label)
        store.commit(commit(one, key=str(n)))
    store.commit(commit(append("people"), key="p"))

    def names(**how):
        return [s.stream[-1] for s in store.streams("deployment/", **how)]

    assert names(models=["a"]) == ["0", "2", "3"]
    assert names(models=["b", "a"]) == ["0", "1", "2", "3"]
    assert names(models=[]) == []
    assert names(models=["a"], labels=["full"]) == ["0", "3"]
    assert names(labels=["shadow", "full"]) == ["0", "1", "2", "3"]
    assert names(labels=[]) == []
    assert names(after="deployment/1") == ["2", "3"]
    assert names(after="deployment/0", limit=2) == ["1", "2"]
    assert names(models=["a"], after="deployment/0", limit=1) == ["2"]


def test_names_come_with_their_models_and_without_states(store):
    for n, (stream, model) in enumerate([("deployment/a-1", "a"), ("deployment/b-2", "b"), ("model/c", "c")]):
        store.commit(commit(replace(append(stream), model=model), key=str(n)))
    store.commit(commit(append("people"), key="p"))
    assert store.names("deployment/") == {"deployment/a-1": "a", "deployment/b-2": "b"}
    assert store.names("model/") == {"model/c": "c"}
    assert store.names("deployment_") == {}


def test_a_label_follows_its_state(store):
    store.commit(commit(replace(append("deployment/x"), label="shadow"), key="1"))
    store.commit(commit(replace(append("deployment/x"), label="full"), key="2"))
    assert store.streams("deployment/", labels=["shadow"]) == ()
    assert len(store.streams("deployment/", labels=["full"])) == 1


def effects(count):
    return tuple(Effect(identity=f"e{n}", kind="notice", payload=b"1") for n in range(count))


def test_an_effect_is_leased_to_one_holder_until_its_time(store):
    store.commit(commit(append(), key="1", effects=effects(3)))
    soon = NOW + timedelta(minutes=1)
    assert [e.identity for e in store.claim("notice", 2, "one", soon, NOW)] == ["e0", "e1"]
    assert [e.identity for e in store.claim("notice", 9, "two", soon, NOW)] == ["e2"]
    assert store.claim("notice", 9, "three", soon, NOW) == ()
    assert [e.identity for e in store.claim("notice", 9, "three", soon, soon)] == ["e0", "e1", "e2"]


def test_a_commit_that_was_decided_on_another_stream_is_refused_when_that_has_moved_on(store):
    store.commit(commit(append("latch"), key="1"))
    decided = replace(commit(append("s"), key="2"), unchanged=(("latch", 1), ("never written", 0)))
    store.commit(commit(append("latch"), key="3"))
    with pytest.raises(StaleRevisionError, match="latch at revision 1, found it at 2"):
        store.commit(decided)
    assert store.load("s") is None
    store.commit(replace(decided, unchanged=(("latch", 2), ("never written", 0))))
    assert store.load("s").revision == 1


def test_effects_of_another_kind_are_left_alone(store):
    other = Effect(identity="first", kind="page", payload=b"1")
    store.commit(commit(append(), key="1", effects=(*effects(2), other)))
    soon = NOW + timedelta(minutes=1)
    assert [e.identity for e in store.claim("page", 1, "one", soon, NOW)] == ["first"]
    assert [e.identity for e in store.claim("notice", 9, "one", soon, NOW)] == ["e0", "e1"]


def test_an_effect_given_back_is_free_and_only_its_holder_gives_it_back(store):
    store.commit(commit(append(), key="1", effects=effects(1)))
    soon = NOW + timedelta(minutes=1)
    store.claim("notice", 1, "one", soon, NOW)
    store.release("e0", "two")
    assert store.claim("notice", 1, "two", soon, NOW) == ()
    store.release("e0", "one")
    assert len(store.claim("notice", 1, "two", soon, NOW)) == 1


def test_an_effect_that_was_done_is_nobodys_any_more(store):
    store.commit(commit(append(), key="1", effects=effects(1)))
    store.claim("notice", 1, "one", NOW, NOW)
    store.done("e0", "sent", NOW)
    assert store.claim("notice", 1, "two", NOW + timedelta(days=1), NOW + timedelta(days=1)) == ()


def test_of_many_workers_at_once_each_effect_goes_to_one(store):
    store.commit(commit(append(), key="1", effects=effects(40)))
    together = Barrier(4)

    def work(holder):
        together.wait()
        found = []
        while got := store.claim("notice", 3, holder, NOW + timedelta(minutes=1), NOW):
            found += [e.identity for e in got]
        return found

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(work, "abcd"))
    every = [identity for share in shares for identity in share]
    assert sorted(every) == sorted(e.identity for e in effects(40))


def test_a_long_ledger_is_read_whole_page_by_page(store, monkeypatch):
    monkeypatch.setattr(store_sql, "PAGE", 3)
    for n in range(4):
        store.commit(commit(append("s", paused(), paused()), append("t"), key=str(n)))
    assert [row.seq for row in store.rows()] == list(range(1, 13))
    assert [row.seq for row in store.rows(after=9)] == [10, 11, 12]
    assert len(list(store.rows(stream="s"))) == 8


SOON = NOW + timedelta(minutes=1)


def lanes(*named):
    return tuple(Effect(identity=f"e{n}", kind="notice", payload=b"1", lane=lane) for n, lane in enumerate(named))


def claimed(store, now=NOW, limit=9, holder="one"):
    return [e.identity for e in store.claim("notice", limit, holder, now + timedelta(minutes=1), now)]


def test_lanes_take_turns_however_many_effects_one_of_them_has(store):
    store.commit(commit(append(), key="1", effects=lanes("a", "a", "a", "b", "b", "c")))
    assert claimed(store, limit=4) == ["e0", "e3", "e5", "e1"]
    assert claimed(store) == ["e4", "e2"]


def test_a_lane_gets_no_more_turns_for_being_refused(store):
    store.commit(commit(append(), key="1", effects=lanes("a", "a", "b", "b")))
    assert claimed(store, limit=1) == ["e0"]
    store.put_off("e0", "one", Tried(attempts=1, due_at=SOON))
    assert claimed(store, limit=2) == ["e2", "e1"]
    store.give_back("one")
    assert claimed(store, SOON) == ["e2", "e0", "e1", "e3"]


def test_an_effect_keeps_its_lane(store):
    asked = lanes("a", "")
    store.commit(commit(append(), key="1", effects=asked))
    assert store.claim("notice", 9, "one", SOON, NOW) == store.pending() == asked


def test_what_was_put_off_is_claimed_at_its_time_and_not_before(store):
    store.commit(commit(append(), key="1", effects=effects(2)))
    claimed(store)
    tried = Tried(attempts=3, failing_since=NOW, due_at=SOON, problem="answered 503")
    store.put_off("e0", "one", tried)
    assert [q.tried for q in store.queue(["notice"])] == [tried, Tried()]
    assert claimed(store) == []
    assert claimed(store, SOON) == ["e1", "e0"]


def test_only_whoever_holds_an_effect_puts_it_off(store):
    store.commit(commit(append(), key="1", effects=effects(1)))
    claimed(store)
    store.put_off("e0", "two", Tried(attempts=9))
    assert store.queue(["notice"], "e0")[0].tried == Tried()


def test_a_wait_that_a_clock_set_which_was_a_day_ahead_is_over(store):
    store.commit(commit(append(), key="1", effects=effects(1)))
    claimed(store)
    store.put_off("e0", "one", Tried(attempts=1, due_at=NOW + timedelta(days=1)))
    assert claimed(store) == ["e0"]
    store.put_off("e0", "one", Tried(attempts=1, due_at=NOW + LONGEST_WAIT))
    assert claimed(store) == []


def test_a_dead_letter_is_kept_and_claimed_by_nobody_until_it_is_retried(store):
    store.commit(commit(append(), key="1", effects=(*effects(2), Effect(identity="l", kind="lift", payload=b""))))
    claimed(store)
    store.put_off("e0", "one", Tried(attempts=9, dead_at=NOW, problem="answered 400"))
    later = NOW + timedelta(days=9)
    assert claimed(store, later) == ["e1"]
    assert [e.identity for e in store.pending()] == ["e0", "e1", "l"]
    assert store.retry(["page"]) == 0
    assert store.retry(["notice"]) == 1
    assert store.queue(["notice"], "e0")[0].tried == Tried(problem="answered 400")
    assert claimed(store, later) == ["e0"]


def test_one_effect_is_retried_by_its_name_and_what_is_done_is_not(store):
    store.commit(commit(append(), key="1", effects=effects(2)))
    claimed(store)
    store.put_off("e0", "one", Tried(attempts=4, due_at=SOON))
    store.done("e1", "sent", NOW)
    assert (store.retry(["notice"], "e0"), store.retry(["notice"], "e1"), store.retry(["notice"], "e9")) == (1, 0, 0)
    assert claimed(store) == ["e0"]


def test_whoever_gives_back_gives_back_all_they_hold_and_nothing_of_others(store):
    store.commit(commit(append(), key="1", effects=effects(3)))
    assert (claimed(store, limit=1), claimed(store, holder="two")) == (["e0"], ["e1", "e2"])
    store.done("e1", "sent", NOW)
    store.give_back("two")
    assert claimed(store, holder="three") == ["e2"]


def test_what_waits_what_fails_and_what_is_dead_is_counted(store):
    store.commit(commit(append(), key="1", effects=effects(6)))
    claimed(store)
    day = NOW - timedelta(days=1)
    for n, tried in enumerate(
        (
            Tried(attempts=1, failing_since=NOW),
            Tried(attempts=5),
            Tried(attempts=1, failing_since=day),
            Tried(dead_at=NOW),
        )
    ):
        store.put_off(f"e{n}", "one", tried)
    store.done("e4", "sent", NOW)
    assert store.backlog(["notice"], attempts=5, since=day) == Backlog(waiting=4, failing=2, dead=1)
    assert store.backlog(["page"], attempts=5, since=day) == Backlog()
