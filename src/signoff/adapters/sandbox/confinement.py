"""The confinement of a process before it runs foreign code: files, network, other processes, memory and time.

Linux and the standard library only. The steps cannot be undone. Call them while the process has one thread, since
Landlock and seccomp bind the calling thread and those it starts later. Each step returns the name of its layer, or None
where the kernel lacks it: the caller decides by the probes, not by the layers.

Landlock (kernel documentation, userspace-api/landlock) allows reading beneath a list of folders and nothing else.
Seccomp refuses system calls that Landlock does not know of: sockets, processes, signals, and the rights, owners and
times of files, which a process of the same user could change without opening them.
"""

import ctypes
import os
import platform
import resource
import struct
from collections.abc import Iterable, Iterator
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
SIGKILL: Final = 9
EPERM: Final = 1
ENOSYS: Final = 38
MOST_FILES: Final = 256
_libc: Final = ctypes.CDLL(None, use_errno=True)

# --- limits ---------------------------------------------------------------------------------------------------------


def limit(*, memory_bytes: int, cpu_seconds: int) -> str:
    """Limit memory, processor time, open files and file size; the limit on size is 0, so files cannot be written."""
    for which, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_NOFILE, MOST_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(which)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (bound, bound))
    os.nice(5)
    return "resource limits"


def end_with(parent: int) -> None:
    """Let the kernel end this process with its parent; exit now if the parent has already ended."""
    _libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def drop_privileges() -> None:
    """Drop every capability, and the ability to gain new privileges."""
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    for capability in range(64):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    if (number := _SYSCALLS.get("capset")) is not None:
        header = struct.pack("Ii", 0x20080522, 0)
        _libc.syscall(number, header, bytes(24))
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "new privileges cannot be given up")


# --- Landlock -------------------------------------------------------------------------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
# The number of file access rights in each version of the Landlock ABI.
_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NETWORK: Final = 0b11
_SCOPES: Final = 0b11


def landlock(readable: Iterable[str]) -> str | None:
    """Allow reading beneath these paths; deny reading elsewhere, and writing, creating and executing everywhere."""
    version = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return None
    rights = (1 << _RIGHTS[min(version, 5)]) - 1
    fields = [rights, *([_NETWORK] if version >= 4 else []), *([_SCOPES] if version >= 6 else [])]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    if ruleset < 0:
        return None
    try:
        for path in readable:
            _allow(ruleset, path)
        if _libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)) != 0:
            return None
    finally:
        os.close(ruleset)
    return f"Landlock {version}"


def _allow(ruleset: int, path: str) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # a missing path needs no rule
    try:
        allowed = _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)  # noqa: PTH112 - pathlib comes later
        rule = struct.pack("=Qi", allowed, handle)
        if _libc.syscall(_ADD_RULE, ruleset, ctypes.c_int(1), rule, ctypes.c_uint32(0)) != 0:
            raise OSError(ctypes.get_errno(), f"reading {path} cannot be allowed")
    finally:
        os.close(handle)


# --- seccomp --------------------------------------------------------------------------------------------------------

# System call numbers on x86-64 and on arm64; None where the architecture lacks the call.
_TABLE: Final[dict[str, tuple[int | None, int | None]]] = {
    "capset": (126, 91),
    "clone": (56, 220),
    "clone3": (435, 435),
    "fcntl": (72, 25),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "seccomp": (317, 277),
    # network
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269),
    # processes
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281), "unshare": (272, 97),
    "setns": (308, 268), "setpgid": (109, 154), "setsid": (112, 157),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "sched_setaffinity": (203, 122), "sched_setattr": (314, 274),
    "migrate_pages": (256, 238), "move_pages": (279, 239), "get_robust_list": (274, 100),
    # memory and messages that outlive or escape the limits
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196),
    "shmctl": (31, 195), "semget": (64, 190), "semctl": (66, 191), "semop": (65, 193), "semtimedop": (220, 192),
    "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "mq_open": (240, 180),
    "mq_unlink": (241, 181), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "userfaultfd": (323, 282),
    # the rights, owners, times and lengths of files
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "setxattrat": (463, 463), "removexattr": (197, 14), "lremovexattr": (198, 15),
    "fremovexattr": (199, 16), "removexattrat": (466, 466), "truncate": (76, 45), "ftruncate": (77, 46),
    "file_setattr": (469, 469), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    # names of folders
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "unlink": (87, None), "unlinkat": (263, 35),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "link": (86, None), "linkat": (265, 37),
    "symlink": (88, None), "symlinkat": (266, 36), "mknod": (133, None), "mknodat": (259, 33), "creat": (85, None),
    # the machine
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "bpf": (321, 280), "perf_event_open": (298, 241),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "acct": (163, 89), "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162), "syslog": (103, 116),
    "vhangup": (153, 58), "iopl": (172, None), "ioperm": (173, None), "personality": (135, 92),
    "lookup_dcookie": (212, 18),
}  # fmt: skip
_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_COLUMN, _ARCHITECTURE = _MACHINES.get(platform.machine(), (0, None))
_SYSCALLS: Final[dict[str, int]] = (
    {}
    if _ARCHITECTURE is None
    else {name: number for name, both in _TABLE.items() if (number := both[_COLUMN]) is not None}
)
_NOT_REFUSED_OUTRIGHT: Final = frozenset({"capset", "clone", "clone3", "fcntl", "prctl", "prlimit64", "seccomp"})
_CLONE_THREAD: Final = 0x10000
# fcntl commands that have the kernel send signals: F_SETOWN, F_SETSIG, F_SETOWN_EX.
_SIGNALLING: Final = (8, 10, 15)
_X32: Final = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ALL_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _ABSENT, _KILL = 0x7FFF0000, 0x00050000 | EPERM, 0x00050000 | ENOSYS, 0x80000000
_NUMBER, _MACHINE, _ARGUMENT = 0, 4, 16
_SET_FILTER: Final = 1


def seccomp() -> str | None:
    """Refuse the system calls in the table, which computing features or predictions does not need."""
    if _ARCHITECTURE is None:
        return None
    program = b"".join(_filter())
    buffer = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    if _libc.syscall(_SYSCALLS["seccomp"], _SET_FILTER, ctypes.c_uint32(0), described) != 0:
        return None
    return "seccomp"


def _filter() -> Iterator[bytes]:
    """A classic BPF program: the comparisons run in order, and the first match decides."""
    assert _ARCHITECTURE is not None
    yield _step(_LOAD, _MACHINE)
    yield _step(_EQUAL, _ARCHITECTURE, 1, 0)
    yield _step(_RETURN, _KILL)
    yield _step(_LOAD, _NUMBER)
    yield _step(_AT_LEAST, _X32, 0, 1)
    yield _step(_RETURN, _KILL)
    for name in sorted(_SYSCALLS.keys() - _NOT_REFUSED_OUTRIGHT):
        yield from _if_called(name, _step(_RETURN, _REFUSE))
    yield from _if_called("clone3", _step(_RETURN, _ABSENT))  # libc then uses clone, whose flags can be checked
    yield from _if_called(
        "clone", _step(_LOAD, _ARGUMENT), _step(_ALL_SET, _CLONE_THREAD, 1, 0), _step(_RETURN, _REFUSE), *_allowed()
    )
    yield from _if_called(
        "fcntl",
        _step(_LOAD, _ARGUMENT + 8),
        *(part for command in _SIGNALLING for part in (_step(_EQUAL, command, 0, 1), _step(_RETURN, _REFUSE))),
        *_allowed(),
    )
    yield from _if_called(
        "prctl", _step(_LOAD, _ARGUMENT), _step(_EQUAL, PR_SET_PDEATHSIG, 0, 1), _step(_RETURN, _REFUSE), *_allowed()
    )
    yield from _if_called(
        "prlimit64", _step(_LOAD, _ARGUMENT), _step(_EQUAL, 0, 1, 0), _step(_RETURN, _REFUSE), *_allowed()
    )
    yield from _allowed()


def _if_called(name: str, *then: bytes) -> Iterator[bytes]:
    yield _step(_EQUAL, _SYSCALLS[name], 0, len(then))
    yield from then


def _allowed() -> tuple[bytes, ...]:
    return (_step(_RETURN, _ALLOW),)


def _step(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_so, if_not, value)
