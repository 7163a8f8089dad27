"""Runs a command that dies with its parent, as an ordinary user where that is asked for.

    python -I -S leash.py PARENT SIGNAL USER:GROUP|- COMMAND...

A script of its own instead of `preexec_fn`: code between fork and exec may deadlock when the parent
has threads, and a test run always has some. It replaces itself by the command, so its process id is
the command's. Where the kernel is not Linux it only runs the command.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITY_VERSION = 0x20080522
UNREACHABLE = 77
ORPHANED = 78


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Capabilities(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def main(parent: str, dies_by: str, user: str, *command: str) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    linux = sys.platform == "linux"
    libc = ctypes.CDLL(None, use_errno=True)
    if user != "-":
        uid, _, gid = user.partition(":")
        _become(libc if linux else None, int(uid), int(gid), command)
    if linux:
        # After the change of user: the kernel forgets the wish when credentials change.
        libc.prctl(PR_SET_PDEATHSIG, int(dies_by), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit(ORPHANED)
    os.execv(command[0], command)


def _become(libc: ctypes.CDLL | None, uid: int, gid: int, command: tuple[str, ...]) -> None:
    """Leaves root for good. Only where the new user cannot reach what the command names (a checkout
    below /root) one capability stays: to pass through folders. Changing the modes of somebody's
    folders instead would open them for everybody."""
    if libc:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    paths = [part for part in command if part.startswith("/")]
    if all(_reachable(path) for path in paths):
        return _keep_none(libc)
    if not (libc and _keep_passage(libc) and all(_reachable(path) for path in paths)):
        sys.exit(UNREACHABLE)


def _reachable(path: str) -> bool:
    try:
        os.stat(path)
    except PermissionError:
        return False
    except OSError:
        return True
    return True


def _keep_none(libc: ctypes.CDLL | None) -> None:
    if libc:
        libc.capset(ctypes.byref(_Header(CAPABILITY_VERSION, 0)), ctypes.byref((_Capabilities * 2)()))


def _keep_passage(libc: ctypes.CDLL) -> bool:
    """Reading alone where the kernel left it to us; a container often has only the wider right."""
    return any(_keep(libc, capability) for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE))


def _keep(libc: ctypes.CDLL, capability: int) -> bool:
    bit = 1 << capability
    sets = (_Capabilities * 2)(_Capabilities(bit, bit, bit))
    if libc.capset(ctypes.byref(_Header(CAPABILITY_VERSION, 0)), ctypes.byref(sets)) != 0:
        return False
    return bool(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
