"""A server on loopback as the command starts it, over a home with people, a champion, tokens, a simulated venue."""

import copy
import json
import shutil
import socket
import time

import httpx
from cast_of_six import PEOPLE
from forked import Command
from signed_in import begun

from signoff.app.grandfather import Adoption, adopt
from signoff.app.people import enrol
from signoff.config.settings import settings
from signoff.domain.permissions import MATRIX, PERSONAL, AccessRole, permitted
from signoff.domain.policy import Policy, Role
from signoff.http import sessions
from signoff.installation import Installation


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served:
    """A home, the server process over it, and a token for each of its people."""

    def __init__(self, home, database=None, venue="simulated"):
        self.settings = settings(home=str(home), database=database, venue=venue)
        self.house = Installation(self.settings)
        for role, name in PEOPLE.items():
            key = self.house.key_of(name)
            enrol(
                self.house.record,
                name=name,
                roles=(Role(role),),
                key_id=key.key_id,
                public_key=key.public_key,
                actor="t",
            )
        signatories = tuple(self.house.signatory(role) for role in (Role.RISK_MANAGER, Role.CTO))
        adoption = Adoption(model="momentum", version="1.1.0", policy=Policy(name="p", version="1"), reason="r")
        adopt(self.house.record, adoption, signatories)
        self.tokens = {role: self.issue(name) for role, name in PEOPLE.items()}
        machine = MATRIX[AccessRole.MACHINE] - PERSONAL
        issued = self.house.accounts.issue_token("desk-1", scopes=machine, actor="t", is_machine=True)
        self.tokens["machine"] = issued.secret
        self.port = free_port()
        self.process, self.clients = None, []

    def another(self, home):
        """A second server over the same database and with the same keys, in a home of its own; not started."""
        leave_out = shutil.ignore_patterns("signoff.db*", "kills", "serve.log")
        shutil.copytree(self.settings.home, home, ignore=leave_out)
        other = copy.copy(self)
        other.settings = settings(home=str(home), database=self.settings.database, venue=self.settings.venue.name)
        other.house, other.port = Installation(other.settings), free_port()
        other.process, other.clients = None, []
        return other

    def issue(self, name):
        duties = self.house.record.people().named(name).duties
        return self.house.accounts.issue_token(name, scopes=permitted(duties), actor="t").secret

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, until="/readyz"):
        known = self.settings
        line = ["serve", "--port", str(self.port), "--home", str(known.home), "--database", known.database]
        line += ["--venue", known.venue.name]
        self.process = Command(*line, log=known.home / "serve.log")
        for _ in range(300):
            try:
                if httpx.get(f"{self.url}{until}").status_code == 200:
                    return self
            except httpx.TransportError:
                pass
            assert self.process.poll() is None, (known.home / "serve.log").read_text()
            time.sleep(0.1)
        raise AssertionError("the server did not become ready")

    def stop(self, *, hard=False):
        for client in self.clients:
            client.close()
        self.clients.clear()
        if self.process is not None and self.process.poll() is None:
            self.process.kill() if hard else self.process.terminate()
            self.process.wait(20)
        self.process = None

    def client(self, role="risk_manager"):
        headers = {"authorization": f"Bearer {self.tokens[role]}"}
        self.clients.append(httpx.Client(base_url=self.url, headers=headers, timeout=30))
        return self.clients[-1]

    def signed_in(self, role):
        """The credentials of somebody whom the identity provider saw a moment ago."""
        number, _ = begun(self.house, PEOPLE[role])
        return {"authorization": f"Bearer {sessions.PREFIX}{number}"}

    def logged(self):
        """Everything that the server said, which is nothing but lines of JSON."""
        return [json.loads(line) for line in (self.settings.home / "serve.log").read_text().splitlines()]
