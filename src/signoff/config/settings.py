"""Settings from the command line, then the environment, then the defaults.

SIGNOFF_HOME, SIGNOFF_DATABASE, SIGNOFF_REGISTRY, SIGNOFF_ACTOR, SIGNOFF_SERVER and SIGNOFF_TOKEN replace the options of
the same names; SIGNOFF_TOKEN_FILE names a file that holds the token.
SIGNOFF_ISOLATION (full or weak) says what code from a dossier or a registry must not reach.
SIGNOFF_FOREIGN_CODE_SECONDS and SIGNOFF_FOREIGN_CODE_MB limit its time and memory.
SIGNOFF_ARTIFACTS lists folders, or beginnings of URLs, where runs of the registry may keep their artefacts.
SIGNOFF_REPOSITORIES lists folders with clones that a dossier sent to a server may name; by default none. A dossier at
the command line may name any clone.
SIGNOFF_WEBHOOK_URL, _SECRET_FILE and _ALLOW say where notices are posted, SIGNOFF_PAGER_URL, _KEY_FILE and _ALLOW where
pages go. After SIGNOFF_NOTICE_ATTEMPTS refusals a notice is a dead letter.
SIGNOFF_REGISTRY_CONNECT_S, _READ_S and _TOTAL_S are the seconds that the model registry may take to connect (3), to
send its next bytes (10) and for a whole call (20; six times that to load and run a model or to search through runs).
SIGNOFF_OIDC_ISSUER, _CLIENT_ID and _CLIENT_SECRET_FILE name the identity provider of a server, SIGNOFF_PUBLIC_URL its
public address, and SIGNOFF_TRUSTED_PROXIES the proxies whose forwarded client addresses count.
SIGNOFF_KILL_FALLBACK names the folder that takes kills when the home cannot, SIGNOFF_KILL_DROP and SIGNOFF_KILL_GROUP
the folder in which members of a group of this machine leave theirs. They are not checked here, so that a wrong one
cannot prevent a kill.
SIGNOFF_VENUE (none, simulated, or one that an installed package brings) names the venue whose orders a kill or a
rollback stops; without one, orders and positions are unknown. SIGNOFF_NOTIFIER names an installed notifier that takes
notices in place of the webhook, SIGNOFF_GATES gates of installed packages that run beside the memo's own.
SIGNOFF_VENUE_* and SIGNOFF_NOTIFIER_* are the options of the two.
SIGNOFF_CONNECTIONS_PER_ADDRESS (2000), SIGNOFF_HEADER_SECONDS (10) and SIGNOFF_BODY_SECONDS (10) are a server's limits:
connections of one address, seconds for a request's header, seconds for its body.
"""

import getpass
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final, TypeVar

from signoff.config.extensions import Chosen, EntryPointGroup, entry, installed, options
from signoff.domain.database_urls import sqlite_url
from signoff.domain.errors import BadInputError, SignoffError
from signoff.domain.isolation import Isolation
from signoff.domain.venue import VenueKind
from signoff.ports.budget import USUAL, Budget

LEAST_S: Final = 0.1
MOST_S: Final = 120.0

# After this many refusals a notice is a dead letter.
NOTICE_ATTEMPTS: Final = 20
NO_VENUE: Final = Chosen(VenueKind.NONE, {})
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The identity provider that people sign in with (OpenID Connect)."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    public_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """Where notices are posted; `allowed` are the firm's own hosts, which may be private and use http."""

    url: str = field(repr=False)
    secret: str | None = field(repr=False)
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerSettings:
    """The pager, in PagerDuty's Events API v2; `allowed` as for the webhook."""

    url: str = field(repr=False)
    key: str = field(repr=False)
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignCode:
    """How code from a dossier or a registry is run."""

    isolation: Isolation = Isolation.FULL
    seconds: float = 600.0
    memory_mb: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """A server's limits for its clients."""

    per_address: int = 2000
    header_s: float = 10.0
    body_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one installation."""

    home: Path
    is_default_home: bool = False
    database: str
    registry: str
    actor: str
    server: str | None = None
    token: str | None = field(default=None, repr=False)
    oidc: Provider | None = None
    webhook: WebhookSettings | None = None
    pager: PagerSettings | None = None
    public_url: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    foreign_code: ForeignCode = ForeignCode()
    kill_fallback: Path | None = None
    kill_drop: Path | None = None
    kill_group: str | None = None
    peers: Peers = Peers()
    registry_budget: Budget = USUAL
    artifacts: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    sent: str = ""
    notice_attempts: int = NOTICE_ATTEMPTS
    venue: Chosen = NO_VENUE
    notifier: Chosen | None = None
    gates: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_sent(self) -> bool:
        """Whether a server started this process for a client; `sent` is the secret that proves for whom."""
        return bool(self.sent)

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def releases(self) -> Path:
        return self.home / "releases"

    @property
    def blobs(self) -> Path:
        return self.home / "blobs"

    @property
    def anchors(self) -> Path:
        return self.home / "anchors"

    @property
    def verified(self) -> Path:
        """The file that says how far the ledger was verified: a convenience, no evidence."""
        return self.home / "verified.json"

    @property
    def tsa_root(self) -> Path:
        """The roots of the time-stamping authority that was used last."""
        return self.home / "tsa-root.pem"

    def live(self, model: str) -> Path:
        """The folder in which the trading process journals a model."""
        return self.home / "live" / model


def settings(
    *,
    home: str | None = None,
    database: str | None = None,
    registry: str | None = None,
    actor: str | None = None,
    server: str | None = None,
    token: str | None = None,
    venue: str | None = None,
    is_trusted: bool = False,
    is_exit: bool = False,
) -> Settings:
    """Options override the environment, and the environment overrides the defaults.

    For an exit, an unreadable part keeps its default and is reported in `problems`: a typing error in the address of a
    webhook must not prevent a kill.
    """
    environment = os.environ  # noqa: TID251 - the one place that reads it
    named = home or environment.get("SIGNOFF_HOME")
    root = Path(named or ".signoff")
    parts = _Parts(is_exit=is_exit)
    return Settings(
        home=root,
        is_default_home=not named,
        database=database or environment.get("SIGNOFF_DATABASE") or sqlite_url(str(root / "signoff.db")),
        registry=registry or environment.get("SIGNOFF_REGISTRY") or sqlite_url(str(root / "registry" / "mlflow.db")),
        actor=actor or environment.get("SIGNOFF_ACTOR") or _user(),
        server=server or environment.get("SIGNOFF_SERVER") or None,
        token=token
        or environment.get("SIGNOFF_TOKEN")
        or parts.read(lambda: _held(environment.get("SIGNOFF_TOKEN_FILE")), None),
        oidc=parts.read(lambda: _provider(environment), None),
        webhook=parts.read(lambda: _webhook(environment), None),
        pager=parts.read(lambda: _pager(environment), None),
        public_url=environment.get("SIGNOFF_PUBLIC_URL", "").rstrip("/") or None,
        trusted_proxies=parts.read(lambda: _proxies(environment.get("SIGNOFF_TRUSTED_PROXIES", "")), ()),
        notice_attempts=parts.read(lambda: _attempts(environment), NOTICE_ATTEMPTS),
        registry_budget=parts.read(lambda: _budget(environment, "SIGNOFF_REGISTRY"), USUAL),
        artifacts=_listed(environment.get("SIGNOFF_ARTIFACTS", "")),
        repositories=_listed(environment.get("SIGNOFF_REPOSITORIES", "")),
        foreign_code=parts.read(lambda: _foreign_code(environment, is_trusted=is_trusted), ForeignCode()),
        kill_fallback=_folder(environment.get("SIGNOFF_KILL_FALLBACK")),
        kill_drop=_folder(environment.get("SIGNOFF_KILL_DROP")),
        kill_group=environment.get("SIGNOFF_KILL_GROUP") or None,
        peers=parts.read(lambda: _peers(environment), Peers()),
        venue=parts.read(lambda: _venue(venue, environment), NO_VENUE),
        notifier=parts.read(lambda: _notifier(environment), None),
        gates=parts.read(lambda: _gates(environment), ()),
        problems=parts.problems,
    )


class _Parts:
    """Reads the settings part by part."""

    def __init__(self, *, is_exit: bool) -> None:
        self._is_exit = is_exit
        self._problems: list[str] = []

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(self._problems)

    def read(self, parse: Callable[[], T], default: T) -> T:
        """Read one part; for an exit, an unreadable part gives its default."""
        try:
            return parse()
        except (SignoffError, OSError, UnicodeDecodeError) as error:
            if not self._is_exit:
                raise
            self._problems.append(f"{error} The setting is passed over.")
            return default


def _venue(option: str | None, environment: Mapping[str, str]) -> Chosen:
    """The venue by its name: Signoff's own, or an installed package's."""
    source, name = ("--venue", option) if option is not None else ("SIGNOFF_VENUE", environment.get("SIGNOFF_VENUE"))
    if not name and option is None:
        return NO_VENUE
    own = (VenueKind.NONE.value, VenueKind.SIMULATED.value)
    if name not in own and name not in installed(EntryPointGroup.VENUES):
        others = "".join(f" or {name}" for name in installed(EntryPointGroup.VENUES))
        raise BadInputError(
            f"Expected {source} as none or simulated{others}, found {name!r}. Correct the name, install the "
            "package that brings it, or leave it out."
        )
    if name not in own:
        entry(EntryPointGroup.VENUES, name, source)
    return Chosen(name, options(environment, "SIGNOFF_VENUE_"))


def _notifier(environment: Mapping[str, str]) -> Chosen | None:
    if not (name := environment.get("SIGNOFF_NOTIFIER")):
        return None
    entry(EntryPointGroup.NOTIFIERS, name)
    return Chosen(name, options(environment, "SIGNOFF_NOTIFIER_"))


def _gates(environment: Mapping[str, str]) -> tuple[str, ...]:
    names = _listed(environment.get("SIGNOFF_GATES", ""))
    for name in names:
        entry(EntryPointGroup.GATES, name)
    return names


def _peers(environment: Mapping[str, str]) -> Peers:
    return Peers(
        per_address=_number(environment, "SIGNOFF_CONNECTIONS_PER_ADDRESS", 2000, 1, 1_000_000),
        header_s=_number(environment, "SIGNOFF_HEADER_SECONDS", 10, 1, 3600),
        body_s=_number(environment, "SIGNOFF_BODY_SECONDS", 10, 1, 3600),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _foreign_code(environment: Mapping[str, str], *, is_trusted: bool) -> ForeignCode:
    """Only a command-line option trusts code, so that no server inherits it."""
    isolation = environment.get("SIGNOFF_ISOLATION") or Isolation.FULL.value
    if isolation not in {Isolation.FULL, Isolation.WEAK}:
        raise BadInputError(
            f"Expected SIGNOFF_ISOLATION as full or weak, found {isolation!r}. To run your own code on this machine "
            "without isolation, give the command --trusted."
        )
    return ForeignCode(
        isolation=Isolation.TRUSTED if is_trusted else Isolation(isolation),
        seconds=_number(environment, "SIGNOFF_FOREIGN_CODE_SECONDS", 600, 1, 86_400),
        memory_mb=_number(environment, "SIGNOFF_FOREIGN_CODE_MB", 4096, 512, 1_000_000),
    )


def _provider(environment: Mapping[str, str]) -> Provider | None:
    if not (issuer := environment.get("SIGNOFF_OIDC_ISSUER")):
        return None
    return Provider(
        issuer=issuer.rstrip("/"),
        client_id=environment.get("SIGNOFF_OIDC_CLIENT_ID", "signoff"),
        client_secret=_held(environment.get("SIGNOFF_OIDC_CLIENT_SECRET_FILE")) or "",
        public_url=environment.get("SIGNOFF_PUBLIC_URL", "http://127.0.0.1:8400").rstrip("/"),
    )


def _webhook(environment: Mapping[str, str]) -> WebhookSettings | None:
    if not (url := environment.get("SIGNOFF_WEBHOOK_URL")):
        return None
    return WebhookSettings(
        url=url,
        secret=_held(environment.get("SIGNOFF_WEBHOOK_SECRET_FILE")),
        allowed=_hosts(environment.get("SIGNOFF_WEBHOOK_ALLOW", "")),
    )


def _pager(environment: Mapping[str, str]) -> PagerSettings | None:
    if not (url := environment.get("SIGNOFF_PAGER_URL")):
        return None
    return PagerSettings(
        url=url,
        key=_held(environment.get("SIGNOFF_PAGER_KEY_FILE")) or "",
        allowed=_hosts(environment.get("SIGNOFF_PAGER_ALLOW", "")),
    )


def _budget(environment: Mapping[str, str], of: str) -> Budget:
    """The time budget of one place, with changes from the environment."""
    return Budget(
        connect_s=_seconds(environment, f"{of}_CONNECT_S", USUAL.connect_s),
        read_s=_seconds(environment, f"{of}_READ_S", USUAL.read_s),
        total_s=_seconds(environment, f"{of}_TOTAL_S", USUAL.total_s),
    )


def _seconds(environment: Mapping[str, str], name: str, usual: float) -> float:
    if not (text := environment.get(name, "").strip()):
        return usual
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not LEAST_S <= seconds <= MOST_S:
        raise BadInputError(f"Expected {name} as seconds from {LEAST_S:g} to {MOST_S:g}, found {text!r}. Correct it.")
    return seconds


def _hosts(text: str) -> frozenset[str]:
    return frozenset(host.strip().lower() for host in text.split(",") if host.strip())


def _proxies(text: str) -> tuple[str, ...]:
    """Addresses and networks; a name or a star would let strangers forge client addresses."""
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    for part in named:
        try:
            ip_network(part)
        except ValueError as error:
            raise BadInputError(
                f"Expected addresses or networks such as 10.0.0.7 or 10.1.0.0/24 in SIGNOFF_TRUSTED_PROXIES, found "
                f"{part!r} ({error}). Name only the proxies in front of this server."
            ) from error
    return named


def _folder(path: str | None) -> Path | None:
    return Path(path) if path else None


def _number(environment: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
        raise BadInputError(f"Expected a whole number from {least} to {most:,} in {name}, found {text[:40]!r}.")
    return int(text)


def _attempts(environment: Mapping[str, str]) -> int:
    return _number(environment, "SIGNOFF_NOTICE_ATTEMPTS", NOTICE_ATTEMPTS, 1, 999_999)


def _held(path: str | None) -> str | None:
    return Path(path).read_text().strip() if path else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
