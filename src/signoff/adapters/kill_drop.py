"""The drop folder: members of one group stop models with the server down, without an account of the installation's.

A member puts a file there that says what to stop and why. It says nothing else: who asked is the owner of the file, and
when is the moment at which the installation reads it. What a member may not do with a file (speak for somebody else,
hold anybody up) follows from how it is read.
"""

import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from signoff.adapters.clocks import WallClock
from signoff.adapters.folders import sync_folder, write_file
from signoff.adapters.foreign_files import ForeignFileError, kind_of, open_regular, own_users, user_name
from signoff.domain.errors import BadInputError
from signoff.domain.names import named
from signoff.ledger.canonical import canonical, digest
from signoff.ports.kills import Kill, Reach

SUFFIX: Final = ".kill"
MOST_BYTES: Final = 64 * 1024
MOST_FILES: Final = 10_000
MOST_REASON: Final = 2000
UNSAID: Final = "no reason given"
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A kill as it lay in the drop folder."""

    path: Path
    file: int
    kill: Kill


@dataclass(frozen=True, slots=True, kw_only=True)
class KillDrop:
    """The folder, and the group whose members are believed."""

    folder: Path
    group: str | None
    home: Path
    now: Callable[[], datetime] = WallClock().now

    @property
    def is_for_guests(self) -> bool:
        """Whether this process is no part of the installation: then it leaves its kills here, and makes no home."""
        if (user := os.geteuid()) == 0:
            return False
        try:
            return self.home.stat().st_uid != user
        except FileNotFoundError:
            with suppress(OSError):
                return self.folder.lstat().st_uid != user
            return False
        except OSError:
            return True

    def leave(self, kill: Kill) -> Path | None:
        """Put a kill here for the installation to take; where it lies, None when it could not be put here."""
        said: dict[str, object] = {"reason": kill.reason}
        match kill.reach:
            case Reach.MODEL:
                said["model"] = kill.model
            case Reach.DESK:
                said["desk"] = kill.desk
            case Reach.ALL:
                said["all"] = True
        path = self.folder / f"{uuid4().hex}{SUFFIX}"
        try:
            if not stat.S_ISDIR(self.folder.lstat().st_mode):
                return None
            write_file(
                path, canonical(said), mode=0o644
            )  # who takes it need not be of the group; others cannot get here
        except OSError:
            return None
        with suppress(OSError):
            sync_folder(self.folder)
        return path

    def left(self, wrong: list[str]) -> Iterator[Dropped]:
        """Every kill that a member left; what else lies here is named in `wrong`, and stays."""
        try:
            group = self._group()
            with os.scandir(self.folder) as entries:
                found = (entry.name for entry in entries if entry.name.endswith(SUFFIX) and entry.name[0] != ".")
                names = [name for _, name in zip(range(MOST_FILES), found, strict=False)]
        except ForeignFileError as error:
            wrong.append(str(error))
            return
        except OSError as error:
            wrong.append(f"{self.folder}: the drop folder cannot be read ({error.strerror}).")
            return
        for name in sorted(names):
            path = self.folder / name
            try:
                yield self._dropped(path, group)
            except FileNotFoundError:
                continue
            except BadInputError as error:
                wrong.append(f"{error} It stops nobody.")
            except OSError as error:
                wrong.append(f"{path}: this kill cannot be read ({error.strerror}). It stops nobody.")

    def remove(self, dropped: Dropped, wrong: list[str]) -> None:
        """Take away what was taken; a file that another one replaced meanwhile stays."""
        try:
            if dropped.path.lstat().st_ino == dropped.file:
                dropped.path.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            wrong.append(f"{dropped.path}: this kill was taken and cannot be removed ({error.strerror}). Remove it.")

    def _group(self) -> int:
        """The id of the group. ForeignFileError when the folder is not one that only it and the installation write."""
        import grp  # noqa: PLC0415 - not on every platform

        if not self.group:
            raise ForeignFileError(
                f"{self.folder}: expected the group of the drop folder in SIGNOFF_KILL_GROUP, found none."
            )
        try:
            group = grp.getgrnam(self.group).gr_gid
        except KeyError:
            raise ForeignFileError(
                f"{self.folder}: expected a group of this machine in SIGNOFF_KILL_GROUP, found {self.group!r}. "
                f"`groupadd {self.group}`, or name another."
            ) from None
        if (objection := self._objection(self.folder.lstat(), group)) is not None:
            raise ForeignFileError(
                f"{self.folder}: {objection} Nothing in it is believed; set it up anew with `install -d -m 3770 -o "
                f"{user_name(os.geteuid())} -g {self.group} {self.folder}`."
            )
        return group

    def _objection(self, found: os.stat_result, group: int) -> str | None:
        if not stat.S_ISDIR(found.st_mode):
            return f"expected a folder, found {kind_of(self.folder)}."
        if found.st_uid not in self._owners():
            return f"expected a folder of {user_name(os.geteuid())}, found one of {user_name(found.st_uid)}."
        if found.st_gid != group:
            return f"expected a folder of the group {self.group}, found one of the group {found.st_gid}."
        if found.st_mode & stat.S_IWOTH:
            return f"expected a folder that only its group writes to, found mode {stat.S_IMODE(found.st_mode):04o}."
        if found.st_mode & stat.S_ISVTX and os.geteuid() not in {0, found.st_uid}:
            return "expected a folder that this account may remove files from, found a sticky one of another's."
        return None

    def _owners(self) -> frozenset[int]:
        try:
            return own_users(self.home.resolve())
        except OSError:
            return frozenset({os.geteuid(), 0})

    def _dropped(self, path: Path, group: int) -> Dropped:
        handle = open_regular(path)
        with os.fdopen(handle, "rb") as file:
            found, content = os.fstat(handle), file.read(MOST_BYTES + 1)
        account = _member(found.st_uid, group)
        if account is None:
            raise ForeignFileError(
                f"{path}: expected a file of a member of {self.group}, found one of {user_name(found.st_uid)}."
            )
        if len(content) > MOST_BYTES:
            raise ForeignFileError(f"{path}: expected at most {MOST_BYTES:,} bytes, found more.")
        # What lies in a file that others can write to may be theirs, and so may a second name of a file.
        is_theirs = found.st_nlink == 1 and not found.st_mode & _OTHERS_WRITE
        kill = _asked(
            path,
            content,
            id=digest(canonical([path.name, found.st_uid, str(found.st_ino), str(found.st_mtime_ns)]))[:32],
            actor=f"local account {account}" if is_theirs else f"a member of {self.group}",
            account=account if is_theirs else "",
            at=self.now(),
        )
        return Dropped(path=path, file=found.st_ino, kill=kill)


def _member(user: int, group: int) -> str | None:
    """The account of a user who is of the group, be it their first group or a further one; None for anybody else."""
    import pwd  # noqa: PLC0415 - not on every platform

    try:
        known = pwd.getpwuid(user)
    except KeyError:
        return None
    return known.pw_name if group in os.getgrouplist(known.pw_name, known.pw_gid) else None


def _asked(path: Path, content: bytes, *, id: str, actor: str, account: str, at: datetime) -> Kill:  # noqa: A002
    """What a file asks for. Whatever else it says counts for nothing."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ForeignFileError(f"{path}: expected {_FORM}, found something else ({error}).") from error
    if not isinstance(said, dict) or sum(key in said for key in ("model", "desk", "all")) != 1:
        raise ForeignFileError(f"{path}: expected {_FORM}, found something else.")
    reason = said.get("reason")
    reason = reason.encode("utf-8", "replace").decode()[:MOST_REASON] if isinstance(reason, str) else ""
    reach, name = Reach.ALL, ""
    if "all" not in said:
        reach = Reach.MODEL if "model" in said else Reach.DESK
        name = said[reach.value]
        if not isinstance(name, str):
            raise ForeignFileError(f"{path}: expected a name in {reach.value!r}, found {name!r}.")
        try:
            named(name)
        except BadInputError as error:
            raise ForeignFileError(f"{path}: {error}") from error
    elif said["all"] is not True:
        raise ForeignFileError(f"{path}: expected true in 'all', found {said['all']!r}.")
    return Kill(
        id=id,
        model=name if reach is Reach.MODEL else "",
        desk=name if reach is Reach.DESK else "",
        reach=reach,
        reason=reason or UNSAID,
        actor=actor,
        account=account,
        at=at,
    )


_FORM: Final = 'JSON such as {"model": "momentum", "reason": "…"}, with "desk" or "all": true in place of "model"'
