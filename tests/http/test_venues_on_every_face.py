"""A kill and a rollback asked for on every face, with each venue: the same fact in the same word."""

import json
import re

import pytest
from cast_of_six import PEOPLE
from http_server import Served
from standing import way_to
from test_verbs_over_http import RELEASE, put

from signoff.cli.main import main
from signoff.domain.deployment import State
from signoff.domain.recognition import Recognition
from signoff.domain.venue import NO_VENUE, VenueKind
from signoff.http.home import outcome
from signoff.ports.venue import OpenOrder, OpenPosition

FLAT = "no open order and no position at the simulated venue"
HELD = "no open order and 2 positions at the simulated venue"
# The venue, what the model holds there, the words for what is left, and the exit code of a kill.
CASES = [("none", 0, NO_VENUE, 1), ("simulated", 0, FLAT, 0), ("simulated", 2, HELD, 1)]


@pytest.fixture(scope="module", params=CASES, ids=["none", "flat", "held"])
def case(request, tmp_path_factory):
    venue, held, words, code = request.param
    server = Served(tmp_path_factory.mktemp("venue") / "home", venue=venue)
    if venue == "simulated":
        broker = server.house.simulated_venue
        broker.place([OpenOrder(client_order_id="momentum:1", symbol="A", side="buy", quantity=1.0)], flags_revision=0)
        broker.hold([OpenPosition(scope="momentum:", symbol=f"S{n}", quantity=1.0) for n in range(held)])
    server.start()
    yield server, venue, held, words, code
    server.stop()


def at_the_installation(server, venue):
    return ["--home", str(server.settings.home), "--venue", venue]


def at_the_server(server, _):
    return ["--server", server.url, "--token", server.tokens["risk_manager"]]


@pytest.mark.parametrize("where", [at_the_installation, at_the_server])
@pytest.mark.parametrize("scope", [["momentum"], ["--all"]])
def test_a_kill_on_the_command_line_says_what_the_venue_says_in_words_in_json_and_by_its_exit(
    case, where, scope, capsys, monkeypatch, tmp_path
):
    server, venue, held, words, code = case
    monkeypatch.setenv("SIGNOFF_HOME", str(tmp_path / "desk"))
    line = ["kill", *scope, "--reason", "smoke", *where(server, venue)]
    capsys.readouterr()
    assert main(line) == code
    assert words in capsys.readouterr().out
    assert main([*line, "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    (row,) = document.get("models", [document])
    assert (document["flat"], document["left"], row["venue"]) == (code == 0, words, venue)
    counted = (None, None) if venue == "none" else (0, held)
    assert (row["open_orders"], row["open_positions"]) == counted


def test_a_kill_over_http_and_on_the_page_says_the_same(case):
    server, venue, _, words, code = case
    said = server.client().post("/api/v1/models/momentum/kill", json={"reason": "smoke"}).json()
    assert (said["venue"], said["left"], said["flat"]) == (venue, words, code == 0)
    many = server.client().post("/api/v1/kill", json={"reason": "smoke"}).json()
    assert (many["left"], many["flat"]) == (words, code == 0)
    page = outcome(server.house.kill_switch.kill("momentum", reason="smoke", actor="t"), Recognition(is_known=True))
    assert f"{words}." in page
    assert ("Look at the broker" in page) is (code == 1)


def test_a_rollback_over_http_waits_for_a_word_where_the_venue_gives_none_and_a_machine_has_none(tmp_path):
    server = Served(tmp_path / "home", venue="none").start()
    try:
        put(server.house, way_to(State.LIMITED))
        address = f"/api/v1/deployments/{RELEASE}"
        stuck = server.client().post(f"{address}/rollback", json={"reason": "over limit"}).json()
        assert (stuck["state"], stuck["stuck_at"]) == ("rollback_stuck", "verify_flat")
        assert stuck["waits_for"] == stuck["stuck_because"]
        assert stuck["stuck_because"].startswith(f"{NO_VENUE}; look at the broker yourself")
        by_machine = server.client("machine").post(f"{address}/attest-flat", json={"reason": "cron"})
        assert by_machine.status_code == 403
        assert server.client().post(f"{address}/attest-flat", json={}).status_code == 422
        said = server.client().post(f"{address}/attest-flat", json={"reason": "the desk said so"}).json()
        assert said["stuck_at"] != "verify_flat"
        again = server.client().post(f"{address}/attest-flat", json={"reason": "the desk said so"})
        assert again.status_code == 200
        history = json.dumps(server.client().get(f"/api/v1/history/{RELEASE}").json())
        assert f"attested flat by {PEOPLE['risk_manager']}: the desk said so" in history
        assert re.findall(r"no open order|consecutive reads|\b0 open", history) == []
        assert server.house.settings.venue.name == VenueKind.NONE
    finally:
        server.stop()
