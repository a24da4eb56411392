"""What every command shares: where the installation is, how to answer, and how to fail."""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from signoff.app.undertaken import CommitInFlight
from signoff.cli.interruption import Signals
from signoff.cli.line import CommandLine
from signoff.cli.screen import Screen
from signoff.config.settings import Settings, settings
from signoff.domain.access import Permission, may_locally, permitted
from signoff.domain.database_urls import sqlite_url
from signoff.domain.errors import BadInputError, NotFoundError, SignoffError
from signoff.domain.events import ActorProof
from signoff.domain.gates.assess import Progress as Report
from signoff.domain.names import named
from signoff.domain.policy import Role
from signoff.installation import Installation
from signoff.verbs.catalogue import Verbs
from signoff.verbs.documents import Document
from signoff.verbs.local import Local, SignAs
from signoff.verbs.remote import Remote

OF_A_HOME = ("signoff.db", "signoff.db-wal", "ledger.key", "blobs", "releases", "live", "kills", "keys")
# What a command that is stopped looks through; a server keeps no more of what it ever did.
MOST_UNDERTAKEN = 100


@dataclass
class Session:
    """One invocation: made from the options, used by its one command."""

    options: dict[str, str] = field(default_factory=dict)
    is_json: bool = False
    is_trusted: bool = False
    is_exit: bool = False
    is_reading: bool = False
    has_answered: bool = False
    signals: Signals = field(default_factory=Signals)
    undertakings: deque[CommitInFlight] = field(default_factory=lambda: deque(maxlen=MOST_UNDERTAKEN))
    _house: Installation | None = None
    _remote: Remote | None = None

    @classmethod
    def of(cls, line: CommandLine, signals: Signals) -> "Session":
        """The session of one line."""
        return cls(
            options=line.options,
            is_json=line.is_json,
            is_trusted=line.is_trusted,
            is_exit=line.is_exit,
            is_reading=line.is_reading,
            signals=signals,
        )

    @property
    def house(self) -> Installation:
        """The installation, built on first use."""
        if self._house is None:
            known = settings(**self.options, is_trusted=self.is_trusted, is_exit=self.is_exit)
            if self.is_reading:
                refuse_no_home(known)
            self._house = Installation(known, undertakings=self.undertakings, proof=ActorProof.UNAUTHENTICATED)
            self._look_at(self._house)
        return self._house

    def kills_kept(self) -> tuple[str, ...]:
        """What the kills are of that the ledger does not hold yet; of a command that only reads, none."""
        return () if self._house is None else tuple(sorted({kill.model for kill in self._house.kills.pending()}))

    def _look_at(self, house: Installation) -> None:
        """Refuse a home that is anybody's; what takes risk away says so and goes on."""
        for problem in house.settings.problems:
            Screen(is_error=True).print(problem, soft_wrap=True)
        try:
            house.refuse_open_home()
        except (SignoffError, OSError) as error:
            if not self.is_exit:
                raise
            said = error if isinstance(error, SignoffError) else f"{error.filename}: {error.strerror}."
            Screen(is_error=True).print(f"{said} This command goes on all the same.", soft_wrap=True)

    @property
    def installation(self) -> Installation:
        """The installation, for what is done at it and not asked of a server; refused where a server is named."""
        if (server := self.house.settings.server) is not None:
            raise BadInputError(
                f"This works on an installation's own home and database, and a server is named ({server}). Run it "
                "where the installation is, without --server and SIGNOFF_SERVER."
            )
        return self.house

    @property
    def verbs(self) -> Verbs:
        """What can be asked for: of a server when one is named, else of this installation."""
        known = self.house.settings
        if known.server is None:
            return Local(self.house, self.actor)
        if self._remote is None:
            self._remote = Remote.reach(known.server, known.token, keys=self.key_path)
        return self._remote

    def verbs_of(self, verb: Permission | None) -> Verbs:
        """The verbs in the name of the person with --as; without one, of the only person enrolled who may do this."""
        verbs = self.verbs
        if isinstance(verbs, Remote) or self.person is not None:
            return verbs
        people = self.house.record.people().by_name
        if self.actor in people:
            return verbs
        able = sorted(name for name, known in people.items() if verb is None or verb in permitted(known.duties))
        if len(able) != 1:
            raise NotFoundError(
                f"Expected one person enrolled who may do this, found {', '.join(able) or 'nobody'}. Name the person "
                "with --as NAME."
            )
        return Local(self.house, able[0])

    def at(self, identity: str, revision: int | None, verb: Permission | None = None) -> Verbs:
        """The verbs on one release, as whoever asks saw it at this revision; None asks for no such thing."""
        verbs = self.verbs if verb is None else self.acting(verb)
        return verbs.at(identity, revision)

    def acting(self, verb: Permission) -> Verbs:
        """The verbs, once the acting name may do this; a server asks for itself."""
        verbs = self.verbs
        if isinstance(verbs, Local):
            people = self.house.record.people().by_name
            may_locally(self.actor, verb, {name: person.duties for name, person in people.items()})
        return verbs

    @property
    def reached(self) -> str | None:
        """The server that was asked, if one was."""
        return None if self._remote is None else self.house.settings.server

    def close(self) -> None:
        """Let go of the server, if there was one."""
        if self._remote is not None:
            self._remote.client.close()

    def hand(self, role: Role, key: Path | None = None) -> SignAs:
        """In which role, and with whose key, this command signs."""
        return SignAs(role=role, person=self.person, key=key)

    def key_path(self, person: str) -> Path:
        """Where a person's private key is kept on this machine."""
        return self.house.key_path(person)

    @property
    def person(self) -> str | None:
        """The person named with --as."""
        return self.options.get("actor")

    @property
    def actor(self) -> str:
        return self.house.settings.actor

    @property
    def console(self) -> Screen:
        """Where people read: standard output, or standard error when standard output carries JSON."""
        return Screen(is_error=self.is_json)

    def answer(self, document: Mapping[str, object], *lines: object) -> None:
        """The result: one JSON document, or lines for people."""
        self.has_answered = True
        if self.is_json:
            print(json.dumps(document, indent=1, default=str))  # noqa: T201 - standard output is the product here
            return
        for line in lines:
            self.console.tell(line)

    @contextmanager
    def progress(self) -> Iterator[Report]:
        """A bar on standard error for anything that may take over a second."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Screen(is_error=True), transient=True) as bar:
            task = bar.add_task("starting", total=None)
            yield lambda step, done, total: bar.update(task, description=step, completed=done, total=total)


def a_name(given: str | None) -> str | None:
    """A name on the line; refused here already when it cannot be one."""
    return given if given is None else named(given)


OF_A_HOME = ("signoff.db", "signoff.db-wal", "ledger.key", "blobs", "releases", "live", "kills", "keys")


def refuse_no_home(known: Settings) -> None:
    """Refuse to read a home that is not there: a slip in its name else makes an empty one that reads like the record.

    A home whose database is elsewhere may be empty.
    """
    home = known.home
    if known.server is not None or known.database != sqlite_url(str(home / "signoff.db")):
        return
    if not any((home / name).exists() for name in OF_A_HOME):
        raise NotFoundError(
            f"Expected a home at {home}, found none, and nothing was made. It is "
            "made by the first command that records something, such as `signoff people add`, `signoff submit` or "
            "`signoff rehearse`. Name another with --home DIR, or begin with: signoff init MODEL VERSION"
        )


def rows(document: Document, key: str) -> list[Any]:
    """A list within a document."""
    found = document[key]
    assert isinstance(found, list)
    return found


def fields(document: Document, key: str) -> dict[str, Any]:
    """A document within a document."""
    found = document[key]
    assert isinstance(found, dict)
    return found
