"""Which server a desk listens to."""

from test_beliefs import Hands, Server

from signoff.desk.client import FlagClient


class Desk(FlagClient):
    """A desk whose servers are lists of notices, said again and again while its clock moves on."""

    def __init__(self, hands, servers, **named):
        super().__init__(list(servers), token="t", models=["m"], **named)
        self.hands, self.servers, self.asked = hands, servers, []

    def _notices(self, url):
        self.asked.append(url)
        self._beliefs.connect("n")
        server, revision = self.servers[url]
        yield "greeting", server.greeting("n")
        while True:
            self.hands.pass_(1.0)
            yield "control", server.control(revision=revision)
            if self.flags("m").enabled and url == "newer":
                self.stop()


def test_a_desk_leaves_a_server_that_lags_behind_what_it_knows(monkeypatch):
    hands = Hands()
    monkeypatch.setattr("signoff.desk.client.time.monotonic", lambda: hands.desk)
    newer = Server(hands)
    older = Server(hands, key=newer.key, boot="b2")
    desk = Desk(hands, {"older": (older, 5), "newer": (newer, 9)}, keys={"k": newer.public})
    desk._beliefs.connect("n")
    desk._beliefs.hear("greeting", newer.greeting("n"))
    desk._beliefs.hear("control", newer.control(revision=9))
    monkeypatch.setattr(desk._is_over, "wait", lambda _: None)
    desk._follow()
    assert desk.asked == ["older", "newer"]
    assert hands.desk - 50.0 < 30.0
