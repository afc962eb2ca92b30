"""Let this process meet files as on Windows: ``windows.install()`` before the package is imported.

Files that it holds open can be neither renamed, replaced nor removed; descriptors are of text unless they
are opened as `O_BINARY`; locks are of bytes and bind others; long paths need the notation for them; the main
thread hears no Ctrl-C while it waits for another; what only POSIX has is missing.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import io
import os
import signal
import struct
import sys
import threading
from concurrent.futures import Future
from types import ModuleType, SimpleNamespace

_MISSING = {
    os: ("O_TMPFILE", "O_NOFOLLOW", "O_NONBLOCK", "fchmod", "getuid", "geteuid", "sched_getaffinity", "fork"),
    signal: ("SIGHUP", "SIGKILL", "pthread_sigmask", "SIG_BLOCK", "SIG_SETMASK"),
}
_PATHS = {  # how many arguments are paths
    "open": 1, "stat": 1, "lstat": 1, "scandir": 1, "listdir": 1, "access": 1, "utime": 1, "unlink": 1,
    "remove": 1, "rmdir": 1, "mkdir": 1, "rename": 2, "replace": 2, "link": 2,
}  # fmt: skip
_LONGEST, _LONGEST_FOLDER = 259, 247
_WHOLE = "\\\\?\\"
_BINARY = 1 << 30  # a flag that Linux does not have
_set_lock = fcntl.fcntl
ignored = []  # whether Ctrl-C was to be ignored, at each call that asks for it


def _msvcrt() -> ModuleType:
    """Locks of single bytes, which belong to a descriptor."""
    module = ModuleType("msvcrt")
    module.LK_NBLCK, module.LK_UNLCK = 2, 0

    def locking(handle: int, mode: int, length: int) -> None:
        kind = fcntl.F_UNLCK if mode == module.LK_UNLCK else fcntl.F_WRLCK
        start = os.lseek(handle, 0, os.SEEK_CUR)
        wanted = struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)
        try:
            _set_lock(handle, fcntl.F_OFD_SETLK, wanted)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None

    module.locking = locking
    return module


def _is_open(path: object) -> bool:
    """Whether this process holds the file of a path open."""
    try:
        wanted = os.lstat(path)
    except OSError:
        return False
    for handle in os.listdir("/proc/self/fd"):
        try:
            status = os.fstat(int(handle))
        except OSError:
            continue
        if os.path.samestat(status, wanted):
            return True
    return False


def _refusing(function, places):
    """A function of `os` that refuses to work on files that are open."""

    def refusing(*arguments, **options):
        for path in arguments[:places]:
            if _is_open(path):
                raise PermissionError(errno.EACCES, "it is being used by this process", path)
        return function(*arguments, **options)

    return refusing


def _limited(name, function):
    """A function of `os` that finds no long paths, but those in the notation for them."""
    longest = _LONGEST_FOLDER if name == "mkdir" else _LONGEST

    def seen(path):
        if not isinstance(path, str | os.PathLike):
            return path
        text = os.fspath(path)
        if isinstance(text, str) and text.startswith(_WHOLE):
            plain = text.removeprefix(_WHOLE)
            assert plain == os.path.abspath(plain), f"taken as it is: {text}"  # noqa: PTH100
            return plain
        if len(os.path.abspath(text)) > longest:  # noqa: PTH100
            raise FileNotFoundError(errno.ENOENT, "the system cannot find the path specified", path)
        return path

    def limited(*arguments, **options):
        count = _PATHS[name]
        return function(*map(seen, arguments[:count]), *arguments[count:], **options)

    return limited


def _bounded(result):
    """The results of futures, for which the package must not wait without a look at signals."""

    def bounded(self, timeout=None):
        main = threading.current_thread() is threading.main_thread()
        if main and timeout is None and not self.done():
            assert not sys._getframe(1).f_globals["__name__"].startswith("dpid_cli"), "hears no Ctrl-C"
        return result(self, timeout)

    return bounded


def _opening(function):
    """``os.open`` whose descriptors of text write two bytes for a line feed: here, they refuse to write."""
    texts = set()
    write, close, fdopen = os.write, os.close, os.fdopen

    def opening(path, flags, *arguments, **options):
        handle = function(path, flags & ~_BINARY, *arguments, **options)
        (texts.discard if flags & _BINARY else texts.add)(handle)
        return handle

    def refused(handle):
        if handle in texts:
            raise OSError(errno.EINVAL, "opened as text")

    def writing(handle, data):
        refused(handle)
        return write(handle, data)

    def closing(handle):
        texts.discard(handle)
        close(handle)

    def wrapping(handle, mode="r", *arguments, **options):
        if isinstance(handle, int) and set(mode) & set("wax+"):
            refused(handle)
        return fdopen(handle, mode, *arguments, **options)

    os.write, os.close, os.fdopen = writing, closing, wrapping
    return opening


def install() -> None:
    """Change `os` and `signal`, and import ``dpid_cli.platform`` as if the system were Windows."""
    import tempfile  # noqa: F401  # these look for POSIX when they are imported

    assert "dpid_cli.platform" not in sys.modules
    sys.modules["msvcrt"] = _msvcrt()
    os.O_BINARY = _BINARY
    os.open = _opening(os.open)
    for name, places in (("rename", 2), ("replace", 2), ("unlink", 1), ("remove", 1)):
        setattr(os, name, _refusing(getattr(os, name), places))
    for name in _PATHS:
        setattr(os, name, _limited(name, getattr(os, name)))
    io.open = _limited("open", io.open)  # by which paths are opened
    Future.result = _bounded(Future.result)
    kernel32 = SimpleNamespace(SetConsoleCtrlHandler=lambda handler, ignores: ignored.append(ignores))
    ctypes.windll = SimpleNamespace(kernel32=kernel32)
    for module, names in _MISSING.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    sys.modules["fcntl"] = None
    system, sys.platform = sys.platform, "win32"
    import dpid_cli.platform

    del sys.modules["msvcrt"]  # by which Python's own modules know the system
    sys.platform = system
    dpid_cli.platform.sys = SimpleNamespace(platform="win32")
