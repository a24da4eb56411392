"""The drop folder: members of one group stop models while the server is down, without the installation's account.

A member writes a file that says what to stop and why. The installation takes nothing else from it: the actor is the
owner of the file, and the time is the moment of reading. So a member cannot kill in another person's name or backdate a
kill. Reading neither follows links nor blocks, so a member cannot delay the kills of others.
"""

import grp
import json
import os
import pwd
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from signoff.adapters.clocks import WallClock
from signoff.adapters.drop_turns import Turns, round_robin
from signoff.adapters.folders import sync_folder, write_file
from signoff.adapters.foreign_files import ForeignFileError, kind_of, open_regular, user_name
from signoff.domain.errors import BadInputError
from signoff.domain.names import named
from signoff.ledger.canonical import canonical, digest
from signoff.ports.kills import Kill, Reach

SUFFIX: Final = ".kill"
MOST_BYTES: Final = 64 * 1024
MOST_TAKEN: Final = 50
MANY: Final = 1_000
MOST_REASON: Final = 2000
UNSAID: Final = "no reason given"
OWN_NAME: Final = "file"
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class NotOfGroupError(ForeignFileError):
    """The owner of the file is not a member of the group."""

    code = "notofgroup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A kill that was read from the drop folder, and its file."""

    path: Path
    inode: int
    kill: Kill


@dataclass(frozen=True, slots=True, kw_only=True)
class KillDrop:
    """The folder, and the group whose members' kills are accepted."""

    folder: Path
    group: str | None
    home: Path
    now: Callable[[], datetime] = WallClock().now
    _turns: Turns = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Remember refused files for as long as this process runs."""
        object.__setattr__(self, "_turns", Turns(self.folder, _is_kill_file))

    @property
    def is_for_guests(self) -> bool:
        """Whether this process runs outside the installation: it then leaves its kills here and creates no home."""
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

    def leave(self, kill: Kill) -> Path:
        """Write a kill for the installation to take, and return its path.

        Raises ForeignFileError where the installation would not accept it, or the file cannot be written.
        """
        path = self.folder / f"{uuid4().hex}{SUFFIX}"
        fields: dict[str, object] = {OWN_NAME: path.name, "reason": kill.reason}
        match kill.reach:
            case Reach.MODEL:
                fields["model"] = kill.model
            case Reach.DESK:
                fields["desk"] = kill.desk
            case Reach.ALL:
                fields["all"] = True
        try:
            self._refuse_caller(self._group(self._installation()))
            # World-readable: the installation's account need not be in the group, and the folder keeps others out.
            write_file(path, canonical(fields), mode=0o644)
        except OSError as error:
            raise ForeignFileError(
                f"{self.folder}: this account ({user_name(os.geteuid())}) cannot leave a kill in the drop folder "
                f"({error.strerror})."
            ) from error
        with suppress(OSError):
            sync_folder(self.folder)
        return path

    def _refuse_caller(self, group: int) -> None:
        if _member(os.geteuid(), group) is None:
            account = user_name(os.geteuid())
            raise ForeignFileError(
                f"{self.folder}: expected a member of {self.group}, found {account}, whose kills are not accepted. "
                f"`usermod -aG {self.group} {account}`."
            )

    def _installation(self) -> int | None:
        """The account that owns the home; None where the home cannot be looked at."""
        try:
            return self.home.stat().st_uid
        except OSError:
            return None

    def left(self, wrong: list[str]) -> Iterator[Dropped]:
        """The kills of the members, at most MOST_TAKEN of each in one pass.

        Refused files stay in the folder; their messages are added to `wrong`.
        """
        temporary: list[str] = []
        taken = Counter[int]()
        try:
            group = self._group(os.geteuid())
            due = self._turns.due()
        except ForeignFileError as error:
            wrong.append(str(error))
            return
        except OSError as error:
            wrong.append(f"{self.folder}: the drop folder cannot be read ({error.strerror}).")
            return
        for entry in due:
            if taken[entry.owner] == MOST_TAKEN:
                continue
            path = self.folder / entry.name
            try:
                dropped = self._dropped(path, group)
            except FileNotFoundError:
                continue
            except NotOfGroupError as error:  # read again in each pass: the owner may be added to the group
                temporary.append(f"{error} It stops no model.")
            except BadInputError as error:
                self._turns.refuse(entry, f"{error} It stops no model.")
            except OSError as error:
                temporary.append(f"{path}: this kill cannot be read ({error.strerror}). It stops no model.")
            else:
                taken[entry.owner] += 1
                yield dropped
        wrong += [self._overflow(owner) for owner, count in self._turns.counted().items() if count > MANY]
        wrong += round_robin([temporary, self._turns.refused()])

    def _overflow(self, owner: int) -> str:
        return (
            f"{self.folder}: the drop folder holds more than {MANY:,} files of {user_name(owner)}; those of others are "
            f"taken all the same. Ask {user_name(owner)} what they are, and remove them."
        )

    def remove(self, dropped: Dropped, wrong: list[str]) -> None:
        """Remove the file of a kill that was taken; a file that replaced it meanwhile stays."""
        try:
            if dropped.path.lstat().st_ino == dropped.inode:
                dropped.path.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            wrong.append(f"{dropped.path}: this kill was taken and cannot be removed ({error.strerror}). Remove it.")

    def _group(self, installation: int | None) -> int:
        """The id of the group.

        `installation` is the account that takes the kills, None where it is unknown. Raises ForeignFileError where the
        group does not exist, or where accounts other than its members and the installation can write to the folder.
        """
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
        status = self.folder.lstat()
        keeper = status.st_uid if installation is None else installation
        if (objection := self._objection(status, group, keeper)) is not None:
            raise ForeignFileError(
                f"{self.folder}: {objection} No kill in it is accepted; set it up anew with `install -d -m 3770 -o "
                f"{user_name(keeper)} -g {self.group} {self.folder}`."
            )
        return group

    def _objection(self, status: os.stat_result, group: int, keeper: int) -> str | None:
        if not stat.S_ISDIR(status.st_mode):
            return f"expected a folder, found {kind_of(self.folder)}."
        if status.st_uid not in self._owners(keeper):
            return f"expected a folder of {user_name(keeper)}, found one of {user_name(status.st_uid)}."
        if status.st_gid != group:
            return f"expected a folder of the group {self.group}, found one of the group {status.st_gid}."
        if status.st_mode & stat.S_IWOTH:
            return f"expected a folder that only its group writes to, found mode {stat.S_IMODE(status.st_mode):04o}."
        if status.st_mode & stat.S_ISVTX and keeper not in {0, status.st_uid}:
            return f"expected a folder that {user_name(keeper)} may remove files from, found a sticky one of another's."
        return None

    def _owners(self, keeper: int) -> frozenset[int]:
        try:
            return frozenset({keeper, 0, self.home.resolve().lstat().st_uid})
        except OSError:
            return frozenset({keeper, 0})

    def _dropped(self, path: Path, group: int) -> Dropped:
        handle = open_regular(path)
        with os.fdopen(handle, "rb") as file:
            status, content = os.fstat(handle), file.read(MOST_BYTES + 1)
        account = _member(status.st_uid, group)
        if account is None:
            raise NotOfGroupError(
                f"{path}: expected a file of a member of {self.group}, found one of {user_name(status.st_uid)}."
            )
        if len(content) > MOST_BYTES:
            raise ForeignFileError(f"{path}: expected at most {MOST_BYTES:,} bytes, found more.")
        fields = _said(path, content)
        # The owner wrote this kill only if no other account can write to the file, it has no second name (hard link),
        # and it names itself: another account could have moved any other file of the owner here.
        is_private = status.st_nlink == 1 and not status.st_mode & _OTHERS_WRITE
        is_theirs = is_private and fields.get(OWN_NAME) == path.name
        kill = _asked(
            path,
            fields,
            id=digest(canonical([_plain(path.name), status.st_uid, str(status.st_ino), str(status.st_mtime_ns)]))[:32],
            actor=f"local account {account}" if is_theirs else f"a member of {self.group}",
            account=account if is_theirs else "",
            at=self.now(),
        )
        return Dropped(path=path, inode=status.st_ino, kill=kill)


def _member(user: int, group: int) -> str | None:
    """The account of a user whose primary or supplementary groups include this one; None for others."""
    try:
        account = pwd.getpwuid(user)
    except KeyError:
        return None
    return account.pw_name if group in os.getgrouplist(account.pw_name, account.pw_gid) else None


def _is_kill_file(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")


def _plain(name: str) -> str:
    """A file name as text; bytes that are not UTF-8 are written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _said(path: Path, content: bytes) -> dict[str, object]:
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ForeignFileError(f"{path}: expected {_FORM}, found something else ({error}).") from error
    if not isinstance(fields, dict) or sum(key in fields for key in ("model", "desk", "all")) != 1:
        raise ForeignFileError(f"{path}: expected {_FORM}, found something else.")
    return fields


def _asked(path: Path, fields: dict[str, object], *, id: str, actor: str, account: str, at: datetime) -> Kill:  # noqa: A002
    """The kill that a file asks for; other keys of the file are ignored."""
    reason = fields.get("reason")
    reason = reason.encode("utf-8", "replace").decode()[:MOST_REASON] if isinstance(reason, str) else ""
    reach, name = Reach.ALL, ""
    if "all" not in fields:
        reach = Reach.MODEL if "model" in fields else Reach.DESK
        wanted = fields[reach.value]
        if not isinstance(wanted, str):
            raise ForeignFileError(f"{path}: expected a name in {reach.value!r}, found {wanted!r}.")
        name = wanted
        try:
            named(name)
        except BadInputError as error:
            raise ForeignFileError(f"{path}: {error}") from error
    elif fields["all"] is not True:
        raise ForeignFileError(f"{path}: expected true in 'all', found {fields['all']!r}.")
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


_FORM: Final = (
    'JSON such as {"file": "now.kill", "model": "momentum", "reason": "…"}, with "desk" or "all": true in place of '
    '"model"'
)
