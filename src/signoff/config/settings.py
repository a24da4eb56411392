"""Settings from the command line, then the environment, then defaults.

SIGNOFF_HOME, SIGNOFF_DATABASE, SIGNOFF_REGISTRY, SIGNOFF_ACTOR, SIGNOFF_SERVER and SIGNOFF_TOKEN stand in for the
options of the same names; SIGNOFF_TOKEN_FILE names a file that holds the token.
SIGNOFF_WEBHOOK_URL, _SECRET_FILE and _ALLOW say where notices are posted, SIGNOFF_PAGER_URL, _KEY_FILE and _ALLOW who
is told when people are called, SIGNOFF_NOTICE_ATTEMPTS after how many refusals a notice is a dead letter.
SIGNOFF_OIDC_ISSUER, _CLIENT_ID and _CLIENT_SECRET_FILE name the identity provider of a server, SIGNOFF_PUBLIC_URL the
address that people reach it by, and SIGNOFF_TRUSTED_PROXIES who may say for whom they ask.
"""

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from signoff.domain.errors import BadInputError

# After so many refusals a notice is a dead letter.
NOTICE_ATTEMPTS: Final = 20
DIGITS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The identity provider that people sign in with (OpenID Connect)."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    public_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where notices are posted; `allowed` are hosts of the firm's own that need not be public nor speak https."""

    url: str = field(repr=False)
    secret: str | None = field(repr=False)
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Who wakes people, in PagerDuty's Events API v2; `allowed` as for the webhook."""

    url: str = field(repr=False)
    key: str = field(repr=False)
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One installation."""

    home: Path
    database: str
    registry: str
    actor: str
    server: str | None = None
    token: str | None = field(default=None, repr=False)
    oidc: Provider | None = None
    webhook: Webhook | None = None
    pager: Pager | None = None
    public_url: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    attempts_said: str = ""

    @property
    def notice_attempts(self) -> int:
        """After how many refusals a notice is a dead letter. Read when notices are sent: a slip must stop no kill."""
        return _attempts(self.attempts_said)

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
        """Up to where the ledger was verified last: a convenience, no evidence."""
        return self.home / "verified.json"

    @property
    def tsa_root(self) -> Path:
        """The roots of the time-stamping authority that was asked last."""
        return self.home / "tsa-root.pem"

    def live(self, model: str) -> Path:
        """Where the trading process journals a model."""
        return self.home / "live" / model


def settings(
    *,
    home: str | None = None,
    database: str | None = None,
    registry: str | None = None,
    actor: str | None = None,
    server: str | None = None,
    token: str | None = None,
) -> Settings:
    """Options given win over the environment, and the environment over the defaults."""
    environment = os.environ  # noqa: TID251 - the one place that reads it
    root = Path(home or environment.get("SIGNOFF_HOME") or ".signoff")
    return Settings(
        home=root,
        database=database or environment.get("SIGNOFF_DATABASE") or f"sqlite:///{root / 'signoff.db'}",
        registry=registry or environment.get("SIGNOFF_REGISTRY") or f"sqlite:///{root / 'registry' / 'mlflow.db'}",
        actor=actor or environment.get("SIGNOFF_ACTOR") or _user(),
        server=server or environment.get("SIGNOFF_SERVER") or None,
        token=token or environment.get("SIGNOFF_TOKEN") or _held(environment.get("SIGNOFF_TOKEN_FILE")),
        oidc=_provider(environment),
        webhook=_webhook(environment),
        pager=_pager(environment),
        public_url=environment.get("SIGNOFF_PUBLIC_URL", "").rstrip("/") or None,
        trusted_proxies=_proxies(environment.get("SIGNOFF_TRUSTED_PROXIES", "")),
        attempts_said=environment.get("SIGNOFF_NOTICE_ATTEMPTS", ""),
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


def _webhook(environment: Mapping[str, str]) -> Webhook | None:
    if not (url := environment.get("SIGNOFF_WEBHOOK_URL")):
        return None
    return Webhook(
        url=url,
        secret=_held(environment.get("SIGNOFF_WEBHOOK_SECRET_FILE")),
        allowed=_hosts(environment.get("SIGNOFF_WEBHOOK_ALLOW", "")),
    )


def _pager(environment: Mapping[str, str]) -> Pager | None:
    if not (url := environment.get("SIGNOFF_PAGER_URL")):
        return None
    return Pager(
        url=url,
        key=_held(environment.get("SIGNOFF_PAGER_KEY_FILE")) or "",
        allowed=_hosts(environment.get("SIGNOFF_PAGER_ALLOW", "")),
    )


def _hosts(given: str) -> frozenset[str]:
    return frozenset(host.strip().lower() for host in given.split(",") if host.strip())


def _proxies(given: str) -> tuple[str, ...]:
    """Addresses and networks; a name or a star would let strangers say who they are."""
    named = tuple(part.strip() for part in given.split(",") if part.strip())
    for part in named:
        try:
            ip_network(part)
        except ValueError as error:
            raise BadInputError(
                f"Expected addresses or networks such as 10.0.0.7 or 10.1.0.0/24 in SIGNOFF_TRUSTED_PROXIES, found "
                f"{part!r} ({error}). Name the proxies in front of this server and nobody else."
            ) from error
    return named


def _attempts(given: str) -> int:
    said = given.strip()
    if not said:
        return NOTICE_ATTEMPTS
    is_number = said.isascii() and said.isdigit() and len(said) <= DIGITS
    if not is_number or int(said) == 0:
        raise BadInputError(
            f"Expected a number from 1 to {'9' * DIGITS} in SIGNOFF_NOTICE_ATTEMPTS, found {given[:40]!r}. It says "
            "after how many refusals a notice is a dead letter."
        )
    return int(said)


def _held(path: str | None) -> str | None:
    return Path(path).read_text().strip() if path else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
