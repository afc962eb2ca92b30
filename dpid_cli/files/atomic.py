"""Files on their way to becoming another file, of which nothing is left if their process is killed.

Where the system can, such a file has no name until it is whole, and goes with its process. Elsewhere, and in
the moment in which it replaces another file, its name follows from that of its target, and a lock that ends
with its process tells the next writer of that target when nobody needs it any more.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path
from zlib import crc32

_WRITERS = 8  # that may write one target at the same time and need names
_ROUNDS = 100  # in which to find a name while they come and go


class Draft:
    """A file that is being written beside its target.

    Attributes
    ----------
    handle : int
        Open for writing.
    """

    def __init__(self, target: Path, mode: int) -> None:
        """Begin with an empty file that has these permissions, as far as the process may give them."""
        self._target = target
        self._name: Path | None = None
        _sweep(target)
        try:
            self.handle = _nameless(target.parent, mode)
        except OSError:  # an older system, or a file system that cannot
            self.handle, self._name = _named(target, mode)

    def put(self) -> None:
        """Become the target; a `FileExistsError` if there is one by now, even a link that leads nowhere."""
        if self._name is None:
            _link(self.handle, self._target)
            return
        try:
            os.link(self._name, self._target)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(self._target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
            self.replace()

    def replace(self) -> None:
        """Become the target in the place of what is there: at every moment the one or the other."""
        if self._name is None:
            self._name = _with_name(self.handle, self._target)
        self._name.replace(self._target)
        self._name = None  # others may use it now

    def close(self) -> None:
        """Let go; what has not become the target vanishes."""
        if self._name is not None:
            with suppress(OSError):
                self._name.unlink()
        os.close(self.handle)


def _names(target: Path) -> list[Path]:
    """What drafts of a target are called, and nobody else's files; short for any file system."""
    known = f".{target.name[:40]}.{crc32(os.fsencode(target.name)):08x}"
    return [target.parent / f"{known}-{number}.tmp" for number in range(_WRITERS)]


def _nameless(folder: Path, mode: int) -> int:
    """A file in this folder that nobody else can find; an `OSError` where there is no such thing."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not Path("/proc/self/fd").exists():
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    handle = os.open(folder, flag | os.O_RDWR, mode)
    lock(handle)
    return handle


def _link(handle: int, path: Path) -> None:
    """Name an open file; that a descriptor is given makes ``os.link`` follow the link to the file itself."""
    os.link(f"/proc/self/fd/{handle}", path, src_dir_fd=handle)


def _with_name(handle: int, target: Path) -> Path:
    for name in _names(target) * _ROUNDS:
        with suppress(FileExistsError):
            _link(handle, name)
            return name
    raise _crowded(target)


def _named(target: Path, mode: int) -> tuple[int, Path]:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    for name in _names(target) * _ROUNDS:
        try:
            handle = os.open(name, flags, mode)
        except FileExistsError:
            continue
        if lock(handle) is not False and is_named(handle, name):  # nobody has swept it away
            return handle, name
        os.close(handle)
    raise _crowded(target)


def _crowded(target: Path) -> OSError:
    return OSError(errno.EBUSY, f"others are writing it, or left {_names(target)[0].name}")


def lock(handle: int) -> bool | None:
    """Whether the file is now ours alone; None where the file system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_named(handle: int, name: Path) -> bool:
    """Whether this is the name of an open file."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(name))
    except OSError:
        return False


def _sweep(target: Path) -> None:
    """Remove what killed processes have left of this target."""
    for name in _names(target):
        try:
            handle = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # as a rule, there is none
            continue
        try:
            if stat.S_ISREG(os.fstat(handle).st_mode) and lock(handle) and is_named(handle, name):
                name.unlink(missing_ok=True)
        except OSError:
            pass  # it is in nobody's way
        finally:
            os.close(handle)
