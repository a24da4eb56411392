"""The command line as a client: what it was decided on, a connection that breaks, and an export verified here."""

import json

import httpx
import pytest
from cast_of_six import PEOPLE

from signoff.cli.main import main
from signoff.domain.errors import UnavailableError
from signoff.domain.events import Killed
from signoff.verbs.remote import Remote

LIVE = "momentum-1.1.0-adopted"


def asked_of(server, home, role="head_of_trading"):
    return ["--server", server.url, "--token", server.tokens[role], "--home", str(home), "--json"]


class BrokenOnce(httpx.HTTPTransport):
    """A connection over which the request gets through, and the first answer does not come back."""

    def __init__(self, error=httpx.ReadError):
        super().__init__()
        self.keys, self.error = [], error

    def handle_request(self, request):
        answer = super().handle_request(request)
        if request.method == "GET":
            return answer
        self.keys.append(request.headers.get("idempotency-key"))
        if len(self.keys) == 1:
            answer.read()
            raise self.error("the connection broke")
        return answer


def through(server, transport, role="head_of_trading"):
    remote = Remote.reach(server.url, server.tokens[role], keys=lambda person: None)
    headers, base = remote.client.headers, remote.client.base_url
    remote.client.close()
    return Remote(httpx.Client(base_url=base, headers=headers, transport=transport, timeout=30), remote.keys)


def test_a_request_whose_answer_was_lost_is_sent_once_more_under_the_same_name_and_done_once(own_server):
    transport = BrokenOnce()
    remote = through(own_server, transport)
    assert remote.kill("momentum", reason="smoke")["recorded"]
    assert len(transport.keys) == 2
    assert len(set(transport.keys)) == 1
    assert [type(r.event) for r in own_server.house.record.history("model/momentum")] == [Killed]
    remote.client.close()


@pytest.mark.parametrize("error", [httpx.ReadTimeout])
def test_what_took_too_long_is_not_sent_again(own_server, error):
    transport = BrokenOnce(error)
    remote = through(own_server, transport)
    with pytest.raises(UnavailableError, match="Whether it was done is not known"):
        remote.kill("momentum", reason="smoke")
    assert len(transport.keys) == 1
    remote.client.close()


def test_a_revision_that_was_seen_is_held_to_at_a_server_and_at_home(own_server, tmp_path, capsys):
    far, near = asked_of(own_server, tmp_path / "mine"), ["--home", str(own_server.settings.home), "--json"]
    for asked in (far, near):
        assert main(["status", LIVE, *asked]) == 0
        seen = str(json.loads(capsys.readouterr().out)["deployments"][0]["revision"])
        assert main(["rollout", "pause", LIVE, "--revision", seen, *asked]) == 0
        capsys.readouterr()
        own = [] if asked is far else ["--as", "T. Haddad"]
        assert main(["rollout", "resume", LIVE, "--revision", seen, *asked, *own]) == 1
        assert "another commit came first" in " ".join(capsys.readouterr().err.split())
        assert main(["rollout", "resume", LIVE, "--revision", str(int(seen) + 1), *asked, *own]) == 0
        capsys.readouterr()


def test_a_servers_ledger_is_verified_here(own_server, tmp_path, capsys):
    asked = asked_of(own_server, tmp_path / "mine", "risk_manager")
    assert main(["verify", *asked]) in {0, 2}
    said = json.loads(capsys.readouterr().out)
    assert said["findings"] == []
    assert main(["verify", "--key", "0" * 16, *asked]) == 1
    assert json.loads(capsys.readouterr().out)["findings"]
    assert not (tmp_path / "mine" / "signoff.db").exists()


def test_what_cannot_be_a_name_is_refused_before_anything_is_asked(tmp_path, capsys):
    nowhere = ["--server", "http://127.0.0.1:1", "--token", "t", "--home", str(tmp_path)]
    for command in (["kill", "a\nb", "--reason", "r"], ["rollout", "start", "a\x1b"], ["history", "\udcff"]):
        assert main([*command, *nowhere]) == 2
        assert "Expected a name of 1 to" in " ".join(capsys.readouterr().err.split())


def test_lists_come_a_page_at_a_time_and_the_command_line_walks_them(own_server, tmp_path, capsys):
    client, names = own_server.client(), []
    after = {}
    while after is not None:
        page = client.get("/api/v1/people", params={"limit": 2, **after}).json()
        assert len(page["people"]) <= 2
        names += [person["name"] for person in page["people"]]
        after = None if page["next"] is None else {"after": page["next"]}
    assert names == sorted(PEOPLE.values())
    own_server.house.kill_switch.kill("carry", reason="r", actor="t")
    first = client.get("/api/v1/models", params={"limit": 1}).json()
    assert first == {"models": ["carry"], "next": "carry"}
    assert client.get("/api/v1/models", params={"after": "carry"}).json() == {"models": ["momentum"], "next": None}
    assert client.get("/api/v1/proposals", params={"limit": 0}).status_code == 422
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("signoff.verbs.remote.PAGE", 2)
        assert main(["people", "list", *asked_of(own_server, tmp_path / "mine", "risk_manager")]) == 0
    assert [p["name"] for p in json.loads(capsys.readouterr().out)["people"]] == sorted(PEOPLE.values())
