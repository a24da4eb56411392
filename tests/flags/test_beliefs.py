"""What a desk believes, notice by notice, on a clock that the tests move."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.store_memory import MemoryStore
from signoff.app.flag_cache import FlagCache, FlagSigner
from signoff.app.record import Record, StreamChange, model_stream
from signoff.desk.client import pinned
from signoff.desk.leased_flags import LeasedFlags
from signoff.domain.events import Killed
from signoff.domain.flag_notices import DOMAINS, Format
from signoff.domain.flags import LEASE_S, Flags, Share

FULL = {
    "model": "m",
    "revision": 5,
    "state": "full",
    "version": "2",
    "candidate": None,
    "enabled": True,
    "allocation_pct": 100,
    "shadow_mode": False,
    "kill_count": 0,
}
SHARE = {"state": "full", "enabled": True, "allocation_pct": 100, "shadow_mode": False}


class Hands:
    """Two clocks that have nothing in common: the server's ticks and the desk's seconds."""

    def __init__(self):
        self.server, self.desk = 1000.0, 50.0

    def pass_(self, seconds):
        self.server += seconds
        self.desk += seconds


class Server:
    """Signs notices as the board does."""

    def __init__(self, hands, key=None, boot="b1", form=Format.SECOND):
        self.hands, self.boot, self.key, self.form = hands, boot, key or Ed25519PrivateKey.generate(), form
        self.began = hands.server

    @property
    def public(self):
        return self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def sealed(self, **said):
        import base64

        from signoff.ledger.canonical import canonical

        tick = round(1000 * (self.hands.server - self.began))
        payload = canonical({"boot": self.boot, "tick_ms": tick, **said})
        signature = base64.b64encode(self.key.sign(DOMAINS[self.form] + payload)).decode()
        return canonical({"payload": payload.decode(), "algorithm": "ed25519", "keyid": "k", "sig": signature})

    def greeting(self, nonce):
        return self.sealed(nonce=nonce, lease_s=10, known=True)

    def control(self, **changed):
        said = FULL | changed
        if self.form is Format.FIRST:
            return self.sealed(control={"rev": said.pop("revision"), "epoch": said.pop("kill_count"), **said})
        share = {name: said.pop(name) for name in ("enabled", "allocation_pct", "shadow_mode")}
        versions = said.pop("versions", {said["version"]: {"state": said["state"], **share}})
        numbers = {"flags_revision": said.pop("revision"), "kill_count": said.pop("kill_count")}
        return self.sealed(control={**said, **numbers, "versions": versions})

    def heartbeat(self, **models):
        return self.sealed(models=models)


@pytest.fixture
def hands():
    return Hands()


@pytest.fixture
def server(hands):
    return Server(hands)


@pytest.fixture
def desk(hands, server):
    return LeasedFlags(pinned({"k": server.public}), lambda: hands.desk)


def greeted(desk, server, nonce="n1"):
    desk.connect(nonce)
    desk.hear("greeting", server.greeting(nonce))
    return desk


def test_a_cold_start_is_closed(desk):
    assert desk.flags("m").state == "closed"
    assert not desk.flags("m").enabled


def test_a_signed_control_after_the_greeting_opens(desk, server):
    greeted(desk, server).hear("control", server.control())
    assert desk.flags("m") == Flags(**FULL, versions=(Share(version="2", **SHARE),))


def test_no_notice_counts_before_the_greeting(desk, server):
    desk.connect("n1")
    desk.hear("control", server.control())
    assert not desk.flags("m").enabled


def test_a_greeting_for_another_connection_does_not_count(desk, server):
    old = server.greeting("n0")
    desk.connect("n1")
    desk.hear("greeting", old)
    desk.hear("control", server.control())
    assert not desk.flags("m").enabled


def test_a_stranger_signature_does_not_count(desk, hands):
    stranger = Server(hands)
    greeted(desk, stranger).hear("control", stranger.control())
    assert not desk.flags("m").enabled
    assert desk.refused["not signed by a key of ours"] == 2


@pytest.mark.parametrize("position", range(0, 400, 37))
def test_a_flipped_byte_does_not_count(desk, server, position):
    notice = bytearray(server.control())
    notice[position % len(notice)] ^= 1
    greeted(desk, server).hear("control", bytes(notice))
    assert not desk.flags("m").enabled


def test_the_lease_closes_and_the_heartbeat_renews_it(desk, server, hands):
    greeted(desk, server).hear("control", server.control())
    for _ in range(10):
        hands.pass_(2)
        desk.hear("heartbeat", server.heartbeat(m=[0, 5]))
        assert desk.flags("m").enabled
    hands.pass_(LEASE_S - 0.1)
    assert desk.flags("m").enabled
    hands.pass_(0.2)
    assert desk.flags("m").state == "closed"
    assert desk.flags("m").allocation_pct == 0


def test_a_heartbeat_of_another_revision_renews_nothing_so_a_suppressed_kill_closes_by_itself(desk, server, hands):
    greeted(desk, server).hear("control", server.control())
    for _ in range(6):
        hands.pass_(2)
        desk.hear("heartbeat", server.heartbeat(m=[1, 6]))
    assert not desk.flags("m").enabled


def test_a_heartbeat_that_leaves_a_model_out_renews_it_not(desk, server, hands):
    greeted(desk, server).hear("control", server.control())
    for _ in range(6):
        hands.pass_(2)
        desk.hear("heartbeat", server.heartbeat())
    assert not desk.flags("m").enabled


@pytest.mark.parametrize("lower", [{"revision": 4}, {"revision": 7, "kill_count": 0}])
def test_a_lower_revision_or_count_of_kills_is_ignored(desk, server, lower):
    greeted(desk, server)
    desk.hear("control", server.control(revision=6, kill_count=1, enabled=False, state="killed", allocation_pct=0))
    desk.hear("control", server.control(**lower))
    assert desk.flags("m").state == "killed"


def test_the_same_revision_with_other_flags_closes(desk, server):
    greeted(desk, server)
    desk.hear("control", server.control(enabled=False))
    desk.hear("control", server.control(enabled=True))
    assert desk.flags("m").state == "closed"
    desk.hear("heartbeat", server.heartbeat(m=[0, 5]))
    assert desk.flags("m").state == "closed"


def test_recorded_notices_do_not_keep_open_what_the_server_closed(desk, server, hands):
    greeted(desk, server).hear("control", server.control())
    recorded = []
    for _ in range(5):
        hands.pass_(2)
        recorded.append(server.heartbeat(m=[0, 5]))
        desk.hear("heartbeat", recorded[-1])
    for notice in recorded * 3:
        hands.pass_(2)
        desk.hear("heartbeat", notice)
    assert not desk.flags("m").enabled


def test_notices_delivered_ever_later_are_worth_ever_less(desk, server, hands):
    """Somebody in the middle holds each heartbeat back a little longer; at a whole lease none of them counts."""
    greeted(desk, server).hear("control", server.control())
    waiting, opened = [], []
    for step in range(20):
        hands.pass_(2)
        waiting.append(server.heartbeat(m=[0, 5]))
        desk.hear("heartbeat", waiting[step // 2])
        opened.append(desk.flags("m").enabled)
    assert opened[0]
    assert not opened[-1]


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_server_whose_wall_clock_jumps_a_day_changes_nothing(hands, jump):
    class Clock:
        def __init__(self):
            from datetime import UTC, datetime

            self.moment = datetime(2026, 3, 2, tzinfo=UTC)

        def now(self):
            return self.moment

        def monotonic(self):
            return hands.server

    from datetime import timedelta

    clock, key = Clock(), Ed25519PrivateKey.generate()
    record = Record(MemoryStore(), clock)
    event = Killed(model="m", reason="r", epoch=1)
    record.commit(StreamChange(stream=model_stream("m"), state=None, events=(event,)), actor="a", key="k")
    board = FlagCache(record, KillFolders(()), FlagSigner(key_id="k", sign=key.sign))
    board.refresh()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    desk = LeasedFlags(pinned({"k": public}), lambda: hands.desk)
    desk.connect("n")
    desk.hear("greeting", board.greeting("n"))
    desk.hear("control", board.notice("m"))
    for _ in range(4):
        clock.moment += timedelta(seconds=jump)
        hands.pass_(4)
        desk.hear("heartbeat", board.heartbeat(["m"]))
        assert desk.flags("m").state == "killed"
    hands.pass_(11)
    assert desk.flags("m").state == "closed"


def test_another_server_takes_over_with_a_greeting_of_its_own(desk, server, hands):
    greeted(desk, server).hear("control", server.control())
    other = Server(hands, key=server.key, boot="b2")
    desk.hear("control", other.control(revision=6))
    assert desk.flags("m").revision == 5
    greeted(desk, other, "n2").hear("control", other.control(revision=6))
    assert desk.flags("m").revision == 6


@pytest.mark.parametrize("nonsense", [b"", b"{}", b"[]", b"null", b"[" * 5000, b'{"payload": 3}', "é".encode()])
def test_nonsense_is_left_aside(desk, server, nonsense):
    greeted(desk, server).hear("control", server.control())
    desk.hear("control", nonsense)
    desk.hear("heartbeat", nonsense)
    assert desk.flags("m").enabled


def test_a_control_says_everything_at_once(desk, server):
    greeted(desk, server).hear("control", server.control())
    said = json.loads(json.loads(server.control())["payload"])["control"]
    assert set(said) == {"flags_revision", "kill_count", "model", "state", "version", "candidate", "versions"}
    assert said["versions"] == {"2": SHARE}


TWO = {
    "state": "shadow",
    "candidate": "3",
    "versions": {"2": SHARE, "3": {"state": "shadow", "enabled": True, "allocation_pct": 0, "shadow_mode": True}},
}


def read(desk, version=None):
    view = desk.flags("m", version)
    return view.enabled, view.allocation_pct, view.shadow_mode


def test_a_desk_reads_the_flags_of_the_version_that_it_runs(desk, server):
    greeted(desk, server).hear("control", server.control(**TWO))
    assert (read(desk, "2"), read(desk, "3")) == ((True, 100, False), (True, 0, True))


@pytest.mark.parametrize("version", [None, "4", "", "2 "])
def test_beside_another_version_a_desk_that_names_no_known_one_is_off(desk, server, version):
    greeted(desk, server).hear("control", server.control(**TWO))
    assert read(desk, version) == (False, 0, False)


def test_after_a_rollback_the_process_of_the_version_taken_back_reads_off_and_the_champion_goes_on(desk, server):
    gone = {"state": "rolled_back", "enabled": False, "allocation_pct": 0, "shadow_mode": False}
    greeted(desk, server).hear("control", server.control(versions={"2": SHARE, "3": gone}))
    assert (read(desk, "2"), read(desk, "3")) == ((True, 100, False), (False, 0, False))
    assert desk.flags("m", "3").state == "rolled_back"


def test_the_lease_closes_every_version(desk, server, hands):
    greeted(desk, server).hear("control", server.control(**TWO))
    hands.pass_(LEASE_S + 0.1)
    assert {desk.flags("m", version).state for version in ("2", "3", None)} == {"closed"}


@pytest.fixture
def earlier(hands, server):
    return Server(hands, key=server.key, boot="b0", form=Format.FIRST)


def test_a_server_of_an_earlier_release_is_believed_for_the_only_version_alive(desk, earlier):
    greeted(desk, earlier).hear("control", earlier.control())
    assert (read(desk, "2"), read(desk), read(desk, "3")) == ((True, 100, False), (True, 100, False), (False, 0, False))


@pytest.mark.parametrize("state", ["shadow", "limited"])
def test_of_several_versions_a_server_of_an_earlier_release_is_believed_for_none(desk, earlier, state):
    greeted(desk, earlier).hear("control", earlier.control(state=state, candidate="3"))
    assert {read(desk, version) for version in ("2", "3", None)} == {(False, 0, False)}


def test_a_candidate_without_a_champion_is_the_only_version_alive(desk, earlier):
    greeted(desk, earlier).hear("control", earlier.control(version=None, candidate="3", state="limited"))
    assert (read(desk, "3"), read(desk, "2")) == ((True, 100, False), (False, 0, False))


def test_a_notice_in_another_format_than_the_greeting_does_not_count(desk, server, earlier):
    earlier.boot = server.boot
    greeted(desk, server).hear("control", server.control(**TWO))
    desk.hear("control", earlier.control(revision=9))
    assert desk.flags("m").revision == 5
    assert desk.refused["a notice in another format than the greeting"] == 1


def test_a_desk_that_goes_from_an_earlier_server_to_a_later_one_and_back_stays_open(desk, server, earlier):
    greeted(desk, earlier, "n0").hear("control", earlier.control())
    greeted(desk, server, "n1").hear("control", server.control())
    assert read(desk, "2") == (True, 100, False)
    greeted(desk, earlier, "n2").hear("control", earlier.control())
    assert read(desk, "2") == (True, 100, False)
    greeted(desk, server, "n3").hear("control", server.control(version="7"))
    assert desk.flags("m").state == "closed"


def test_a_desk_of_an_earlier_release_believes_nothing_of_the_second_format(server):
    """It knows the words of the first format alone."""
    sealed = json.loads(server.control())
    verify = pinned({"k": server.public})
    import base64

    signature, payload = base64.b64decode(sealed["sig"]), sealed["payload"].encode()
    assert not verify("k", signature, b"signoff.flags.v1\n" + payload)
    assert verify("k", signature, b"signoff.flags.v2\n" + payload)
