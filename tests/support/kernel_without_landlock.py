"""Runs a command as on a kernel that has no Landlock: its three system calls answer that they do not exist."""

import ctypes
import os
import struct
import sys

LANDLOCK = (444, 445, 446)
SECCOMP = {"x86_64": 317, "aarch64": 277}[os.uname().machine]


def step(code, value, if_so=0, if_not=0):
    return struct.pack("HBBI", code, if_so, if_not, value)


def install():
    asked = [part for number in LANDLOCK for part in (step(0x15, number, 0, 1), step(0x06, 0x00050000 | 38))]
    program = b"".join([step(0x20, 0), *asked, step(0x06, 0x7FFF0000)])
    buffer = ctypes.create_string_buffer(program, len(program))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)
    described = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    assert libc.syscall(SECCOMP, 1, ctypes.c_uint32(0), described) == 0


if __name__ == "__main__":
    install()
    os.execv(sys.argv[1], sys.argv[1:])
