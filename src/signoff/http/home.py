"""The front page: what every model does now, what waits for the visitor, and how to stop a model.

The page is rendered from the flag cache, so that it works during a database outage and says so. It needs no script.
Its form gives the same order as every other kill: one person, a reason, no second question.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException

from signoff.app.flag_cache import FlagCache
from signoff.app.kill import Stopped
from signoff.domain.deployment import ENDED, Deployment, State
from signoff.domain.errors import BadInputError
from signoff.domain.events import Signature
from signoff.domain.flags import KILLED, Flags, Share
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.permissions import ForbiddenError, Permission, Principal, permitted
from signoff.domain.policy import Role
from signoff.domain.recognition import Recognition
from signoff.domain.trading import trading
from signoff.domain.venue import NOBODY_ASKED
from signoff.http import sessions
from signoff.http.access import AllowedAtOnce, InstallationDep
from signoff.http.health import STALE_S, Undelivered
from signoff.http.kill import MOST_REASON, stop
from signoff.http.streaming import Hub, Streams
from signoff.http.webauthn import STRICT
from signoff.installation import Installation
from signoff.ports.store import Backlog
from signoff.verbs.release_documents import waits_for

router = APIRouter(tags=["pages"], include_in_schema=False)
FORM: Final = "application/x-www-form-urlencoded"
MOST_FIELDS: Final = 20
MOST_MODEL: Final = 200
HEADERS: Final = STRICT | {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
}
WORDS: Final = {"rollback_stuck": "stuck while rolling back"}
TONES: Final = {"full": "good", "killed": "bad", "rolling_back": "bad", "rollback_stuck": "bad", "off": "muted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The fields of a page's form; `csrf` is the session's token, which the page carried."""

    model: str
    reason: str
    csrf: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """The visitor of a page, or the reason why none is authenticated."""

    principal: Principal | None
    status: HTTPStatus = HTTPStatus.OK
    refusal: str = ""


class Welcomed(AllowedAtOnce):
    """The same for a page: a refusal is shown on a page."""

    async def __call__(self, request: Request, house: InstallationDep) -> Visitor:  # type: ignore[override]
        """The visitor."""
        try:
            return Visitor(principal=await super().__call__(request, house))
        except ForbiddenError as refused:
            return Visitor(principal=None, status=HTTPStatus.FORBIDDEN, refusal=str(refused))
        except HTTPException as refused:
            if refused.status_code != HTTPStatus.UNAUTHORIZED:
                raise
            return Visitor(principal=None, status=HTTPStatus.UNAUTHORIZED)


async def typed(request: Request) -> Form:
    """The form's fields; the token goes into the request's state, where the session check reads it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    fields = _fields(await request.body()) if kind == FORM else {}
    model, reason, csrf = (fields.get(name, [""])[0].strip() for name in ("model", "reason", "csrf"))
    request.state.csrf = csrf
    return Form(model=model, reason=reason, csrf=csrf)


def _fields(body: bytes) -> dict[str, list[str]]:
    """The fields of a form. It runs before authentication, so a form of many fields is not parsed."""
    try:
        return parse_qs(body.decode(errors="replace"), max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise BadInputError(
            f"Nothing was stopped. Expected a form of at most {MOST_FIELDS} fields, found more; send `model`, `reason` "
            "and `csrf`."
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Under:
    """A release in its rollout: its state, and what it waits for."""

    id: str
    version: str
    state: str
    waits_for: str
    paused: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model's row: its state as a word and a colour, its meaning for orders, and its rollouts."""

    model: str
    word: str
    tone: str
    meaning: str
    flags: Flags
    killed_because: str
    releases: tuple[Under, ...]

    @property
    def is_stopped(self) -> bool:
        """Whether it is killed and waits to be re-armed."""
        return self.flags.state == KILLED


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedSignature:
    """One signature that waits for the visitor."""

    address: str
    words: str


@router.get("/")
async def front(
    request: Request,
    visitor: Annotated[Visitor, Depends(Welcomed(Permission.READ_FLAGS))],
    house: InstallationDep,
    hub: Streams,
) -> Response:
    """Every model for a signed-in visitor; the sign-in page for others."""
    return _page(request, house, hub, visitor)


@router.post("/stop")
async def stop_here(
    request: Request,
    form: Annotated[Form, Depends(typed)],
    visitor: Annotated[Visitor, Depends(Welcomed(Permission.KILL))],
    house: InstallationDep,
    hub: Streams,
) -> Response:
    """Kill a model by the form of the front page."""
    if visitor.principal is None:
        return _page(request, house, hub, visitor, problem="Nothing was stopped.")
    request.state.model = form.model
    if not 0 < len(form.model) <= MOST_MODEL or not 0 < len(form.reason) <= MOST_REASON:
        wrong = f"Nothing was stopped. Expected a model, and a reason of 1 to {MOST_REASON} characters; press again."
        return _page(request, house, hub, visitor, problem=wrong, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    stopped = await stop(house, hub, form.model, reason=form.reason, actor=visitor.principal.name)
    recognition = await asyncio.to_thread(hub.board.recognised, form.model)
    return _page(request, house, hub, visitor, done=outcome(stopped, recognition))


def outcome(stopped: Stopped, recognition: Recognition) -> str:
    """The result of a kill, in sentences."""
    left = NOBODY_ASKED if stopped.left is None else stopped.left.words
    look = "" if stopped.left is not None and stopped.left.is_flat else " Look at the broker."
    parts = [
        f"{stopped.kill.model} is stopped, and every desk that listens was told; {left}.{look}",
        _recognised(recognition),
        _kept(stopped),
    ]
    return " ".join(part for part in parts if part)


def _recognised(recognition: Recognition) -> str:
    """A sentence about an unknown name; empty for a known one."""
    if recognition.is_known:
        return ""
    if recognition.is_known is None:
        return "It is unknown whether a model of this name exists: the record cannot be read."
    near = f" Nearest names: {', '.join(recognition.nearest)}." if recognition.nearest else ""
    return f"No model of this name is on record: check the spelling.{near}"


def _kept(stopped: Stopped) -> str:
    if stopped.is_recorded:
        return "It is on record."
    if stopped.is_journaled:
        return "The order is on disk, and goes on record when the database takes it."
    return "No disk took the order: only this server knows it. Leave it running, and make room on its disk."


def lines(board: FlagCache) -> tuple[ModelRow, ...]:
    """Every model of the flag cache, by name."""
    pending = {kill.model: f"{kill.actor}: {kill.reason}" for kill in board.ordered()}
    under: dict[str, list[Deployment]] = {}
    for release in board.releases():
        is_calm = release.state is State.FULL and not release.pause_reasons and not release.concerns
        if release.state not in ENDED and not is_calm:
            under.setdefault(release.model, []).append(release)
    by_model = {flags.model: flags for flags in board.told()}
    return tuple(_line(flags, under.get(model, []), board.latch(model), pending) for model, flags in by_model.items())


def _line(flags: Flags, releases: list[Deployment], latch: KillSwitchState | None, pending: dict[str, str]) -> ModelRow:
    because = pending.get(flags.model) or (f"{latch.killed_by}: {latch.reason}" if latch and latch.is_latched else "")
    return ModelRow(
        model=flags.model,
        word=WORDS.get(flags.state, flags.state.replace("_", " ")),
        tone=TONES.get(flags.state, "ink"),
        meaning=_meaning(flags),
        flags=flags,
        killed_because=because,
        releases=tuple(_under(release, flags) for release in sorted(releases, key=lambda d: d.opened_at)),
    )


def _meaning(flags: Flags) -> str:
    orders = _trades(flags)
    return f"{orders} Because of silence: {flags.reason}." if flags.reason else orders


def _trades(flags: Flags) -> str:
    if flags.is_off:
        return "Trades nothing; every new order is refused."
    if flags.enabled and not flags.shadow_mode:
        return f"Trades up to {flags.allocation_pct}% of its capital."
    return " ".join(_allowed(share) for share in flags.versions if share.enabled)


def _allowed(share: Share) -> str:
    if share.shadow_mode:
        return f"{share.version} runs in shadow and trades nothing."
    return f"{share.version} trades up to {share.allocation_pct}% of the capital."


def _under(release: Deployment, flags: Flags) -> Under:
    now = trading(release, flags)
    return Under(
        id=release.id,
        version=release.version,
        state=now.word.replace("_", " "),
        waits_for=_spaced(waits_for(release, now)),
        paused=", ".join(reason.value.replace("_", " ") for reason in release.pause_reasons),
    )


def _spaced(text: str) -> str:
    """Roles and gates as words; a command is unchanged."""
    before, command, after = text.partition("signoff ")
    return before.replace("_", " ") + command + after


def duties(board: FlagCache, principal: Principal) -> tuple[AwaitedSignature, ...]:
    """The signatures that wait for this person; signing decides whether they count."""
    asked = [
        AwaitedSignature(address=f"/sign/{d.id}", words=words)
        for d in board.releases()
        if (words := _asked(d, principal))
    ]
    killed = [flags.model for flags in board.told() if flags.state == KILLED]
    armed = [model for model in killed if _may_arm(board.latch(model), principal)]
    return (
        *asked,
        *(AwaitedSignature(address=f"/rearm/{model}", words=f"{model} was killed; arm it again") for model in armed),
    )


def _may_arm(latch: KillSwitchState | None, principal: Principal) -> bool:
    is_able = bool(principal.roles) and Permission.REARM in permitted(principal.duties)
    return is_able and latch is not None and latch.is_latched and not _has_signed(latch.rearm_signatures, principal)


def _has_signed(signatures: tuple[Signature, ...], principal: Principal) -> bool:
    return any(signature.person == principal.name for signature in signatures)


def _asked(release: Deployment, principal: Principal) -> str:
    """The request to this person about a release; empty without one."""
    name = f"{release.model} {release.version}"
    if principal.name in release.barred or not principal.roles:
        return ""
    roles = [role for role in release.missing_roles if role in principal.roles]
    if release.state is State.AWAITING_APPROVAL and roles and not _has_signed(release.approvals, principal):
        return f"{name} waits for your approval as {_in_words(roles)}"
    is_blocked = release.state is State.VALIDATED and bool(release.blocking) and not release.is_overridden
    may_override = Permission.OVERRIDE in permitted(principal.duties) and not _has_signed(release.overrides, principal)
    if is_blocked and may_override:
        return f"{name} did not pass {', '.join(release.blocking)}: override or reject"
    return ""


def _in_words(roles: list[Role]) -> str:
    return " or ".join("CTO" if role is Role.CTO else role.value.replace("_", " ") for role in roles)


def _page(
    request: Request,
    house: Installation,
    hub: Hub,
    visitor: Visitor,
    *,
    done: str = "",
    problem: str = "",
    status: HTTPStatus | None = None,
) -> Response:
    """The page for this visitor; a stranger sees no model."""
    principal, now = visitor.principal, house.clock.now()
    shown = {
        "visitor": visitor,
        "csrf": _csrf(request, house, now),
        "now": now,
        "away_since": _away_since(hub.board, now),
        "is_known": hub.board.is_known,
        "lines": () if principal is None else lines(hub.board),
        "duties": () if principal is None else duties(hub.board, principal),
        "may_stop": principal is not None and Permission.KILL in permitted(principal.duties),
        "unrecorded": 0 if principal is None else hub.board.unrecorded,
        "undelivered": None if principal is None else _undelivered(request),
        "can_sign_in": house.settings.oidc is not None,
        "done": done,
        "problem": " ".join(part for part in (problem, visitor.refusal) if part),
        "most": MOST_REASON,
    }
    content = _templates().get_template("front.html").render(shown)
    return Response(content, status or visitor.status, HEADERS, media_type="text/html")


def _undelivered(request: Request) -> Backlog | None:
    """The last count of notices, if any are failing or given up."""
    counted: Undelivered = request.app.state.undelivered
    backlog = counted.last_known()
    return backlog if backlog is not None and (backlog.failing or backlog.dead) else None


def _csrf(request: Request, house: Installation, now: datetime) -> str:
    """The CSRF token of the visitor's session; empty for a caller with a bearer token."""
    number = request.cookies.get(sessions.cookie_name(house))
    seen: sessions.RecentSessions = request.app.state.seen
    session = seen.last_known(number, now) if number else None
    return session.csrf if session is not None else ""


def _away_since(board: FlagCache, now: datetime) -> datetime | None:
    """The time of the last reading of the ledger, if it is too long ago."""
    age = board.age_s
    return now - timedelta(seconds=age) if age is not None and age >= STALE_S else None


@cache
def _templates() -> Environment:
    loader = PackageLoader("signoff.http", "pages")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
