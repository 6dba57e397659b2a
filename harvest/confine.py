"""What a process that reads strangers' files gives up before it does: the network, writing, other programs, most of the disk.

Nothing here needs root or an installation. Each layer is taken where the system has it, and stands on its own:

- limits of the process (any POSIX): memory, open files, no core dump, and no byte written to any regular file;
- Landlock (Linux 5.13 and later): files can be read only below Python, its packages and the system's libraries, so neither
  the lab's own papers and keys nor /proc of other processes; nothing can be made, changed or removed; from Linux 6.12 no
  signal reaches another process (https://docs.kernel.org/userspace-api/landlock.html);
- seccomp (Linux on x86-64 and ARM64): no socket, no other program, no new process, no tracing, no io_uring, which would go
  round such a filter (https://docs.kernel.org/userspace-api/seccomp_filter.html).

macOS has the first layer only (and does not keep its limit of memory), Windows none: there a reader is kept apart by its
process, its time limit and its bare environment.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER_MODE = 38, 22, 2
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # the same numbers on every architecture
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_SYSTEM = ("/usr", "/lib", "/lib64", "/opt", "/nix/store", "/gnu/store", "/sys/devices/system/cpu")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/proc/cpuinfo", "/proc/meminfo", "/dev/null", "/dev/urandom")
_PATHS = ("LD_LIBRARY_PATH", "PYTHONPATH", "TESSDATA_PREFIX")  # variables that name folders with code or models
# Numbers of the system calls that a reader has no use for: /usr/include/asm/unistd_64.h and asm-generic/unistd.h.
_X86_64 = {
    "socket": 41, "connect": 42, "bind": 49, "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "ptrace": 101,
    "mount": 165, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272, "setns": 308, "process_vm_readv": 310,
    "process_vm_writev": 311, "bpf": 321, "execveat": 322, "userfaultfd": 323, "io_uring_setup": 425, "pidfd_getfd": 438,
}  # fmt: skip
_ARM64 = {
    "socket": 198, "bind": 200, "connect": 203, "execve": 221, "kill": 129, "ptrace": 117, "mount": 40, "add_key": 217,
    "request_key": 218, "keyctl": 219, "unshare": 97, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271,
    "bpf": 280, "execveat": 281, "userfaultfd": 282, "io_uring_setup": 425, "pidfd_getfd": 438,
}  # fmt: skip
_MACHINES = {"x86_64": (0xC000003E, 56, _X86_64), "aarch64": (0xC00000B7, 220, _ARM64)}  # audit number, clone, refused
_CLONE3 = 435


def confine(memory: int) -> None:
    """Give up, for the rest of this process, what a reader does not need; to be called before anything is imported for it.

    `memory` is the most address space in bytes. A layer that the system lacks is left out, one that it has and that
    fails is an `OSError`.
    """
    if sys.platform == "win32":
        return
    _limit(memory)
    if sys.platform == "linux":
        _control(_NO_NEW_PRIVS, 1)
        if landlock_version():
            _close_the_disk(landlock_version())
        if platform.machine() in _MACHINES and sys.maxsize > 2**32:
            _close_the_kernel(*_MACHINES[platform.machine()])


def _limit(memory: int) -> None:
    import resource

    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),  # pipes are not files: answers and complaints pass
        (resource.RLIMIT_NOFILE, 256),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, hard if what == resource.RLIMIT_AS and sys.platform == "darwin" else most))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes our input
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


# ---- Landlock


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def landlock_version() -> int:
    """The version of Landlock that this kernel has, 0 where there is none or it is switched off."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)))


def _close_the_disk(version: int) -> None:
    """Deny every access that this version knows, but for reading below the folders of code."""
    rights = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)
    asked = _Ruleset((1 << rights) - 1, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _called(_LANDLOCK_CREATE, ctypes.byref(asked), ctypes.c_size_t(size), 0)
    try:
        for path, access in _readable():
            _allow(ruleset, path, access)
        _called(_LANDLOCK_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there need not be allowed
        return
    try:
        access &= _READ_FILE | _READ_DIR if os.path.isdir(path) else _READ_FILE
        _called(_LANDLOCK_ADD, ruleset, 1, ctypes.byref(_Beneath(access, place)), 0)
    finally:
        os.close(place)


def _readable() -> Iterable[tuple[str, int]]:
    """Folders of code with what may be read there; of a checkout only this package, for the lab's papers lie beside it."""
    package = Path(__file__).resolve().parent
    named = [part for name in _PATHS for part in os.environ.get(name, "").split(os.pathsep) if part]
    code = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, sys.exec_prefix, *named, *filter(None, sys.path))}
    for path in sorted({*code, *_SYSTEM, *_SYSTEM_FILES} - {str(package.parent), "/"}):
        yield path, _READ_FILE | _READ_DIR
    yield str(package), _READ_FILE | _READ_DIR
    installed = package.parent.name in ("site-packages", "dist-packages")
    yield str(package.parent), _READ_FILE | _READ_DIR if installed else _READ_DIR


# ---- seccomp


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def _close_the_kernel(audit: int, clone: int, refused: dict[str, int]) -> None:
    code = _filter(audit, clone, sorted(refused.values()))
    _control(_SET_SECCOMP, _FILTER_MODE, ctypes.byref(_Program(len(code) // 8, code)))


def _filter(audit: int, clone: int, refused: list[int]) -> bytes:
    """A BPF program: refused calls fail as not permitted, threads can be made and processes cannot.

    clone3 keeps its arguments where no filter can look; told that it does not exist, the C library falls back to clone.
    A call in the manner of another architecture, whose numbers mean other things, ends the process.
    """
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    fine, not_permitted, no_such_call, end = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
    lines = [(load, 0, 0, 4), (equal, 1, 0, audit), (answer, 0, 0, end), (load, 0, 0, 0)]
    lines += [(at_least, 0, 1, 0x40000000), (answer, 0, 0, not_permitted)]  # the x32 calls of x86-64
    lines += [(equal, 0, 1, _CLONE3), (answer, 0, 0, no_such_call)]
    for number in refused:
        lines += [(equal, 0, 1, number), (answer, 0, 0, not_permitted)]
    lines += [(equal, 0, 3, clone), (load, 0, 0, 16), (any_bit, 1, 0, 0x10000), (answer, 0, 0, not_permitted)]  # CLONE_THREAD
    lines += [(answer, 0, 0, fine)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


# ---- inner


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _called(number: int, *arguments: object) -> int:
    result = int(_libc().syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _control(option: int, *arguments: object) -> None:
    words = (*arguments, 0, 0, 0, 0)[:4]
    if _libc().prctl(option, *(ctypes.c_ulong(word) if isinstance(word, int) else word for word in words)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
