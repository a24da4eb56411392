"""The shared parts of every command: the installation, its answers, and its errors."""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from signoff.app.commits_in_flight import CommitInFlight
from signoff.cli.interruption import Signals
from signoff.cli.line import CommandLine
from signoff.cli.screen import Screen
from signoff.config.settings import Settings, settings
from signoff.domain.database_urls import sqlite_url
from signoff.domain.errors import BadInputError, NotFoundError, SignoffError
from signoff.domain.events import ActorProof
from signoff.domain.names import named

if TYPE_CHECKING:
    from signoff.domain.gates.assess import Progress as Report
    from signoff.domain.permissions import Permission
    from signoff.domain.policy import Role
    from signoff.home import Home
    from signoff.installation import Installation
    from signoff.verbs.catalogue import Verbs
    from signoff.verbs.local import SignAs
    from signoff.verbs.looks import Looks
    from signoff.verbs.release_documents import Document
    from signoff.verbs.remote import Remote

OF_A_HOME = ("signoff.db", "signoff.db-wal", "ledger.key", "blobs", "releases", "live", "kills", "keys")
# Events that an interrupted command keeps to look through; a server keeps no more either.
MOST_UNDERTAKEN = 100


@dataclass
class Session:
    """One invocation, created from the options and used by one command."""

    options: dict[str, str] = field(default_factory=dict)
    is_json: bool = False
    is_trusted: bool = False
    is_exit: bool = False
    is_reading: bool = False
    may_read_nothing: bool = False
    has_answered: bool = False
    signals: Signals = field(default_factory=Signals)
    undertakings: deque[CommitInFlight] = field(default_factory=lambda: deque(maxlen=MOST_UNDERTAKEN))
    _house: "Installation | None" = None
    _home: "Home | None" = None
    _remote: "Remote | None" = None

    @classmethod
    def of(cls, line: CommandLine, signals: Signals) -> "Session":
        """The session of one line."""
        return cls(
            options=line.options,
            is_json=line.is_json,
            is_trusted=line.is_trusted,
            is_exit=line.is_exit,
            is_reading=line.is_reading,
            may_read_nothing=line.may_read_nothing,
            signals=signals,
        )

    @property
    def house(self) -> "Installation":
        """The installation, built on first use."""
        if self._house is None:
            from signoff.adapters.store_memory import MemoryStore  # noqa: PLC0415 - a look at the record needs less
            from signoff.installation import Installation  # noqa: PLC0415

            chosen = self._chosen()
            house = Installation(chosen, undertakings=self.undertakings, proof=ActorProof.UNAUTHENTICATED)
            self._house = house.with_parts(store=MemoryStore()) if self._reads_nothing(chosen) else house
            self._look_at(self._house)
        return self._house

    @property
    def home(self) -> "Home":
        """The installation's home, for commands that only look at its record."""
        if self._home is None:
            from signoff.home import Home  # noqa: PLC0415 - help needs none

            chosen = self._chosen()
            self._home = Home(chosen, undertakings=self.undertakings, proof=ActorProof.UNAUTHENTICATED)
            self._look_at(self._home)
        return self._home

    def _reads_nothing(self, chosen: Settings) -> bool:
        """Whether the command is answered as by an empty ledger, since it must make no home by reading."""
        return self.may_read_nothing and is_no_home(chosen)

    def _chosen(self) -> Settings:
        chosen = settings(**self.options, is_trusted=self.is_trusted, is_exit=self.is_exit)
        if self.is_reading:
            refuse_no_home(chosen)
        return chosen

    @property
    def looks(self) -> "Looks | Verbs":
        """The verbs that only look: of the named server, else of this home."""
        if self.home.settings.server is not None:
            return self._reached(self.home.settings)
        from signoff.verbs.looks import Looks  # noqa: PLC0415 - as above

        return Looks(self.home, self.home.settings.actor)

    def kills_kept(self) -> tuple[str, ...]:
        """What the kills are of that the ledger does not hold yet; of a command that only reads, none."""
        house = self._house or self._home
        return () if house is None else tuple(sorted({kill.model for kill in house.kills.pending()}))

    def _look_at(self, house: "Home") -> None:
        """Refuse a home that is open to others; a command that takes risk away only warns."""
        for problem in house.settings.problems:
            Screen(is_error=True).print(problem, soft_wrap=True)
        try:
            house.refuse_open_home()
        except (SignoffError, OSError) as error:
            if not self.is_exit:
                raise
            warning = error if isinstance(error, SignoffError) else f"{error.filename}: {error.strerror}."
            Screen(is_error=True).print(f"{warning} This command goes on all the same.", soft_wrap=True)

    @property
    def installation(self) -> "Installation":
        """The installation, for commands that work only there; refused if a server is named."""
        if (server := self.house.settings.server) is not None:
            raise BadInputError(
                f"This works on an installation's own home and database, and a server is named ({server}). Run it "
                "where the installation is, without --server and SIGNOFF_SERVER."
            )
        return self.house

    @property
    def verbs(self) -> "Verbs":
        """The verbs of the named server, else of this installation."""
        from signoff.verbs.local import Local  # noqa: PLC0415 - a look at the record needs less

        if self.house.settings.server is None:
            return Local(self.house, self.actor)
        return self._reached(self.house.settings)

    def _reached(self, chosen: Settings) -> "Remote":
        from signoff.verbs.remote import Remote  # noqa: PLC0415 - most commands reach no server

        assert chosen.server is not None
        if self._remote is None:
            self._remote = Remote.reach(chosen.server, chosen.token, keys=self.key_path)
        return self._remote

    def verbs_of(self, verb: "Permission | None") -> "Verbs":
        """The verbs in the name of --as, else of the only enrolled person with this permission."""
        from signoff.domain.permissions import permitted  # noqa: PLC0415
        from signoff.verbs.local import Local  # noqa: PLC0415

        verbs = self.verbs
        if not isinstance(verbs, Local) or self.person is not None:
            return verbs
        people = self.house.record.people().by_name
        if self.actor in people:
            return verbs
        able = sorted(name for name, person in people.items() if verb is None or verb in permitted(person.duties))
        if len(able) != 1:
            raise NotFoundError(
                f"Expected one person enrolled who may do this, found {', '.join(able) or 'none'}. Name the person "
                "with --as NAME."
            )
        return Local(self.house, able[0])

    def at(self, deployment_id: str, revision: int | None, verb: "Permission | None" = None) -> "Verbs":
        """The verbs on one release, expected at this revision; None expects none."""
        verbs = self.verbs if verb is None else self.acting(verb)
        return verbs.at(deployment_id, revision)

    def acting(self, verb: "Permission") -> "Verbs":
        """The verbs, if the actor has this permission; a server checks by itself."""
        from signoff.domain.permissions import may_locally  # noqa: PLC0415
        from signoff.verbs.local import Local  # noqa: PLC0415

        verbs = self.verbs
        if isinstance(verbs, Local):
            people = self.house.record.people().by_name
            may_locally(self.actor, verb, {name: person.duties for name, person in people.items()})
        return verbs

    @property
    def reached(self) -> str | None:
        """The server that was asked, if one was."""
        return None if self._remote is None else (self._house or self.home).settings.server

    def close(self) -> None:
        """Close the connection to the server, if any."""
        if self._remote is not None:
            self._remote.client.close()

    def hand(self, role: "Role", key: Path | None = None) -> "SignAs":
        """The role and the person with whose key this command signs."""
        from signoff.verbs.local import SignAs  # noqa: PLC0415

        return SignAs(role=role, person=self.person, key=key)

    def key_path(self, person: str) -> Path:
        """The path of a person's private key on this machine."""
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
        """The screen for people: standard output, or standard error if standard output carries JSON."""
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
    def progress(self) -> Iterator["Report"]:
        """A bar on standard error for anything that may take over a second."""
        from rich.progress import (  # noqa: PLC0415 - a look at the record needs none
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

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


def a_name(name: str | None) -> str | None:
    """A name on the line; refused here if it is invalid."""
    return name if name is None else named(name)


def is_no_home(chosen: Settings) -> bool:
    """Whether there is nothing of a home; one whose database is elsewhere may be empty."""
    home = chosen.home
    if chosen.server is not None or chosen.database != sqlite_url(str(home / "signoff.db")):
        return False
    return not any((home / name).exists() for name in OF_A_HOME)


def refuse_no_home(chosen: Settings) -> None:
    """Refuse to read a missing home: otherwise a misspelt one is created empty and reads like the record."""
    if is_no_home(chosen):
        raise NotFoundError(
            f"Expected a home at {chosen.home}, found none, and nothing was made. It is "
            "made by the first command that records something, such as `signoff people add`, `signoff submit` or "
            "`signoff rehearse`. Name another with --home DIR, or begin with: signoff init MODEL VERSION"
        )


def rows(document: "Document", key: str) -> list[Any]:
    """A list within a document."""
    value = document[key]
    assert isinstance(value, list)
    return value


def fields(document: "Document", key: str) -> dict[str, Any]:
    """A document within a document."""
    value = document[key]
    assert isinstance(value, dict)
    return value
