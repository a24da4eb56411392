"""`signoff.desk.open`: the approved champion and its candidate in this process, as control says, with a journal.

Versions come from the flags, digests from the releases, bytes from a folder for each version. A thread follows control:
it records each change of the flags and a heartbeat a second, and loads what control names next. Until that is loaded,
every prediction is the declared fallback.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from signoff.desk.fallbacks import Output
from signoff.desk.hosting import Host, Hosted, ShadowVersion
from signoff.desk.journal.records import Kind
from signoff.desk.journal.writing import Journal, WhenFull
from signoff.desk.leased_flags import CLOSED
from signoff.desk.models import load, registered_features
from signoff.desk.releases import pinned, told
from signoff.domain.errors import BadInputError, RefusedError, SignoffError, UnavailableError
from signoff.domain.flags import Flags
from signoff.domain.names import name_objection

LOOK_S: Final = 0.02
HEARTBEAT_S: Final = 1.0
TRY_AGAIN_S: Final = 5.0
log = logging.getLogger("signoff.desk")
FlagsOf = Callable[[str, str | None], Flags]
Releases = Callable[[], Sequence[Mapping[str, Any]]]


def open(  # noqa: A001 - as in `signoff.desk.open`
    model: str,
    *,
    control: str | Sequence[str] | None,
    artifacts: Path,
    journal: Path,
    token: str = "",
    keys: Mapping[str, str] | None = None,
    version: str | None = None,
    output: Output | None = None,
    symbols: Collection[str] | None = None,
    flags: FlagsOf | None = None,
    releases: Releases | None = None,
    when_full: WhenFull = WhenFull.REFUSE,
    timeout_s: float = 10.0,
) -> "Desk":
    """Open the approved versions of a model in this process.

    `control` is the server's address, or several; `token` may read flags and releases; `keys` are the pinned public
    keys that sign flags. `artifacts/<version>/` holds the files of a version, as `signoff.registry.fetch` copies them.
    `journal` is a folder of this process alone. `version` pins this process to one of the versions that control names;
    without it, the champion answers and the candidate runs in shadow. `output` is the range of valid answers and the
    fallback; `symbols` is the universe.

    With `control=None`, `flags` is required for now: a function of model and version, as `FlagClient.flags`. So is
    `releases`: a function that gives the part `deployments` of `signoff status --json`.

    Raises OtherBytesError, which names the file, where a byte of a version is not the approved one; RefusedError for a
    version that control does not name or whose artefacts are not bound; UnavailableError where no server answers within
    `timeout_s` or the journal cannot be written.
    """
    _refuse_odd(model, control, flags, releases)
    urls = () if control is None else ((control,) if isinstance(control, str) else tuple(control))
    with ExitStack() as undone:
        if flags is None:
            from signoff.desk.client import FlagClient  # noqa: PLC0415 - not where the flags are given

            client = FlagClient(urls, token=token, keys=keys or {}, models=[model]).start()
            undone.callback(client.stop)
            client.wait_for(model, timeout_s=timeout_s)
            flags, refused = client.flags, dict(client.refused)
        else:
            refused = {}
        listed = releases or (lambda: told(urls, token, model))
        control_of = _Control(model=model, flags=flags, releases=listed, artifacts=artifacts, version=version)
        champion, candidate = _both(control_of, refused, timeout_s)
        opened = Journal.open(journal, when_full=when_full)
        undone.callback(opened.close)
        host = Host(
            champion, opened, candidate=candidate, output=output, symbols=symbols, flags=lambda one: flags(model, one)
        )
        undone.callback(host.close)
        return Desk(host, opened, control_of, undone.pop_all())


def _both(control: "_Control", refused: Mapping[str, int], timeout_s: float) -> tuple[Hosted, ShadowVersion | None]:
    """Load what control names now."""
    found = control.flags(control.model, control.version)
    if found.state == CLOSED:
        why = ", ".join(f"{reason} ({count})" for reason, count in refused.items()) or "nothing was told"
        raise UnavailableError(
            f"Expected the flags of {control.model} within {timeout_s:g} s, found none: {why}. Nothing is open; "
            "start the desk again once the server answers."
        )
    champion, candidate = control.named(found)
    listed = control.releases()
    return control.hosted(champion, listed), None if candidate is None else control.shadowed(candidate, listed)


def _refuse_odd(model: str, control: object, flags: FlagsOf | None, releases: Releases | None) -> None:
    if (objection := name_objection(model)) is not None:
        raise BadInputError(f"{model[:40]!r} is no model's name: {objection}.")
    if control is None and (flags is None or releases is None):
        raise BadInputError("Expected flags= and releases= where control is None, found none. Or name a server.")
    if control is not None and (flags is not None or releases is not None):
        raise BadInputError("Expected a server or functions, found both: control= and flags= or releases=.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Control:
    """What control says of a model: which versions this process hosts, and where their bytes are."""

    model: str
    flags: FlagsOf
    releases: Releases
    artifacts: Path
    version: str | None

    def named(self, found: Flags) -> tuple[str, str | None]:
        """The version that answers here and the one that runs in shadow; RefusedError where control names none."""
        candidate = found.candidate if found.candidate != found.version else None
        if self.version is not None:
            if self.version not in {found.version, found.candidate}:
                raise RefusedError(
                    f"v{self.version} of {self.model} does not run: control names {found.version or 'no version'} as "
                    f"champion and {found.candidate or 'no version'} as candidate (state {found.state})."
                )
            return self.version, None
        if found.version is None:
            raise RefusedError(
                f"Expected a champion of {self.model}, found none: control names {candidate or 'no version'} as "
                f"candidate (state {found.state}). Open it with version= to run it in shadow."
            )
        return found.version, candidate

    def hosted(self, version: str, releases: Sequence[Mapping[str, Any]]) -> Hosted:
        """The version, loaded."""
        deployment, pin = pinned(releases, self.model, version)
        return Hosted(model=load(self._folder(version), pin), version=version, deployment=deployment)

    def shadowed(self, version: str, releases: Sequence[Mapping[str, Any]]) -> ShadowVersion:
        """The version for a process of its own; its bytes are compared here, and its code is not run."""
        deployment, pin = pinned(releases, self.model, version)
        folder = self._folder(version)
        features = registered_features(folder, pin)
        return ShadowVersion(folder=folder, pin=pin, features=features, version=version, deployment=deployment)

    def _folder(self, version: str) -> Path:
        if (objection := name_objection(version)) is not None:
            raise BadInputError(f"{version[:40]!r} is no version's name: {objection}.")
        return self.artifacts / version


class Desk:
    """An open desk. `predict`, `submitted`, `acknowledged`, `filled` and `cancelled` are those of its `Host`."""

    def __init__(self, host: Host, journal: Journal, control: _Control, undone: ExitStack) -> None:
        self.host, self.journal = host, journal
        self._control, self._undone = control, undone
        self.predict, self.submitted = host.predict, host.submitted
        self.acknowledged, self.filled, self.cancelled = host.acknowledged, host.filled, host.cancelled
        self._told: Flags | None = None
        self._beat_at = self._retry_at = 0.0
        self._is_over = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._follow, name="signoff-desk", daemon=True)
        self._thread.start()

    def flags(self) -> Flags:
        """The flags of the version that answers here; closed where they are unknown or their lease is over."""
        return self._control.flags(self._control.model, self.host.champion.version)

    def counted(self) -> dict[str, Any]:
        """What happened so far: predictions, fallbacks, refusals, and what the candidate did."""
        return self.host.counted()

    def close(self) -> None:
        """End the candidate's process, write what was recorded, and close the journal."""
        self._is_over.set()
        self._thread.join(5.0)
        self._undone.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _follow(self) -> None:
        while not self._is_over.wait(LOOK_S):
            try:
                self._look()
            except Exception:  # the desk goes on, and says so
                log.exception("the desk could not follow control; it goes on with what it has")

    def _look(self) -> None:
        found = self.flags()
        if found != self._told:
            self._told = found
            self.host.is_shadow = found.shadow_mode
            self._record(Kind.FLAGS, _plain(found))
        now = time.monotonic()
        if found.state != CLOSED and now >= self._retry_at:
            self._host_what_is_named(found, now)
        if now - self._beat_at >= HEARTBEAT_S:
            self._beat_at = now
            self._record(Kind.HEARTBEAT, {**_plain(found), **self.host.counted()})

    def _host_what_is_named(self, found: Flags, now: float) -> None:
        """Host what control names, the champion first: what keeps a candidate out never touches it."""
        if found.version is None and self._control.version is None:  # nothing is named while the flags are off
            return
        try:
            champion, candidate = self._control.named(found)
        except RefusedError as error:
            self._later(now, error)
            self.host.unavailable = f"control no longer names v{self.host.champion.version}"
            return
        if champion != self.host.champion.version:
            self._host_champion(champion, now)
        else:
            self.host.unavailable = ""
        shadowed = self.host.shadowed
        if not self.host.unavailable and candidate != (None if shadowed is None else shadowed.version):
            self._host_candidate(candidate, now)

    def _host_champion(self, version: str, now: float) -> None:
        self.host.unavailable = f"control names v{version} as champion, which is being loaded"
        try:
            champion = self._control.hosted(version, self._control.releases())
        except SignoffError as error:
            self.host.unavailable = f"control names v{version} as champion, which is not loaded: {error}"
            self._later(now, error)
            return
        self.host.replace(champion, None)
        self.host.unavailable = ""

    def _host_candidate(self, version: str | None, now: float) -> None:
        self.host.replace(self.host.champion, None)
        if version is None:
            return
        try:
            candidate = self._control.shadowed(version, self._control.releases())
        except SignoffError as error:
            self._later(now, error)
            return
        self.host.replace(self.host.champion, candidate)

    def _later(self, now: float, error: SignoffError) -> None:
        self._retry_at = now + TRY_AGAIN_S
        self.host.orders.refuse("version", str(error))

    def _record(self, kind: Kind, says: Mapping[str, Any]) -> None:
        try:
            self.journal.event(kind, self.host.champion.deployment, says)
        except SignoffError as error:
            log.warning("%s was not recorded: %s", kind.name, error)


def _plain(found: Flags) -> dict[str, Any]:
    return {
        "state": found.state.value,
        "flags_revision": found.revision,
        "kill_count": found.kill_count,
        "enabled": found.enabled,
        "allocation_pct": found.allocation_pct,
        "shadow_mode": found.shadow_mode,
        "version": found.version,
        "candidate": found.candidate,
    }
