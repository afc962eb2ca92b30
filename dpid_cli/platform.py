"""What systems do in different ways: locks, rights, files without a name, signals, the folder for caches.

Linux has all of it. macOS has no files without a name. Windows can neither rename nor remove a file that is
open, ends lines of text with two characters, has other locks and rights, takes long paths in another notation
only, and hears no Ctrl-C while a thread waits for another.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import ctypes
    import msvcrt
else:
    import fcntl

RENAMES_OPEN_FILES = sys.platform != "win32"
HOLDS_FOLDERS = sys.platform == "linux" and Path("/proc/self/fd").exists()
PATIENCE: float | None = 0.1 if sys.platform == "win32" else None  # seconds of a wait that is to hear Ctrl-C
NO_LINKS = getattr(os, "O_NOFOLLOW", 0)  # flags of os.open: a link is not followed,
NO_WAITING = getattr(os, "O_NONBLOCK", 0)  # a FIFO has no writer yet,
BINARY = getattr(os, "O_BINARY", 0)  # and bytes stay as they are
HANGUP = getattr(signal, "SIGHUP", None)  # the terminal was closed

_LOCKED = 2**31 - 1  # a byte that hardly any file has: locks of Windows keep others from reading it
_RESERVED = re.compile(
    r'^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)|[<>:"|?*\x00-\x1f]|[. ]$', re.IGNORECASE
)
_RETRY = 0.1  # seconds
_ATTEMPTS = 10
_LONG = 200  # characters of a path: Windows takes 259, or 247 of a folder, and names of drafts are longer


def try_lock(handle: int) -> bool | None:
    """Lock an open file; False if another process has locked it, None if the file system has no locks."""
    try:
        _lock(handle)
    except _LOCKED_BY_OTHERS:
        return False
    except OSError:
        return None
    return True


if sys.platform == "win32":
    _LOCKED_BY_OTHERS = PermissionError

    def _lock(handle: int) -> None:
        before = os.lseek(handle, 0, os.SEEK_CUR)
        os.lseek(handle, _LOCKED, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(handle, before, os.SEEK_SET)

else:
    _LOCKED_BY_OTHERS = BlockingIOError

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def lock(handle: int) -> None:
    """Lock an open file, once no other process has locked it; do nothing if the file system has no locks."""
    while try_lock(handle) is False:
        time.sleep(_RETRY)


def open_folder(path: Path | str, within: int | None = None, *, follow: bool = True) -> int:
    """Open a folder, where `HOLDS_FOLDERS`; not what a link leads to, unless `follow`."""
    flags = getattr(os, "O_PATH", 0) | getattr(os, "O_DIRECTORY", 0)  # needs no right to list the folder
    return os.open(path, flags | (0 if follow else NO_LINKS), dir_fd=within)


def path_of_open(handle: int) -> Path:
    """A path that leads to an open folder, whatever names it has by then."""
    return Path(f"/proc/self/fd/{handle}")


def open_nameless(folder: Path, mode: int) -> int:
    """A file in this folder that has no name, open for writing; an `OSError` where that is not possible."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not Path("/proc/self/fd").exists():
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    return os.open(folder, flag | os.O_RDWR, mode)


def name_open_file(handle: int, path: Path) -> None:
    """Name a file of `open_nameless`; a `FileExistsError` if the name is taken."""
    # Only with a descriptor does `os.link` follow the link to the file itself.
    os.link(f"/proc/self/fd/{handle}", path, src_dir_fd=handle)


def replace(source: Path, target: Path) -> None:
    """Rename a file, also to the name of another; scanners of Windows may hold either open for a moment."""
    for _ in range(0 if RENAMES_OPEN_FILES else _ATTEMPTS):
        try:
            source.replace(target)
        except PermissionError:
            time.sleep(_RETRY)
        else:
            return
    source.replace(target)


def is_reserved(path: Path) -> bool:
    """Whether Windows gives a name in the path another meaning, such as a device, or changes it."""
    names = path.parts[bool(path.anchor) :] if sys.platform == "win32" else ()
    return any(_RESERVED.search(name) for name in names if name != os.pardir)


def system_path(path: str) -> str:
    r"""The path for functions of the system: Windows takes long ones in another notation, ``\\?\C:\...``."""
    return _extended(path) if sys.platform == "win32" else path


def of_system(path: Path) -> Path:
    """The same of a path object."""
    return Path(_extended(str(path))) if sys.platform == "win32" else path


def _extended(path: str) -> str:
    """An absolute path that Windows takes as it is, whatever its length."""
    whole = os.path.abspath(path)  # noqa: PTH100  # text, and fast
    if len(whole) < _LONG or whole.startswith(("\\\\?\\", "\\\\.\\")):
        return path
    return f"\\\\?\\UNC{whole[1:]}" if whole.startswith("\\\\") else f"\\\\?\\{whole}"


def set_permissions(handle: int, permissions: int) -> None:
    """Set the permissions of an open file, where files have their own."""
    if sys.platform != "win32":
        os.fchmod(handle, permissions)


def set_times(handle: int, name: Path | None, times: tuple[int, int]) -> None:
    """Set when an open file was read and changed, in nanoseconds; by its name, if it has one, on Windows."""
    os.utime(handle if name is None or os.utime in os.supports_fd else name, ns=times)


def is_private(folder: Path) -> bool:
    """Whether only this user and the administrator can write code there that would be run."""
    if sys.platform == "win32":  # lets nobody else write into the folder of a user
        return folder.resolve().is_relative_to(Path.home().resolve())
    status = folder.stat()
    return status.st_uid in (0, os.getuid()) and not status.st_mode & stat.S_IWOTH


def caches() -> Path:
    """The user's folder for caches; a `RuntimeError` if the user has no home."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def cpus() -> int:
    """Number of CPUs that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def signals_blocked(numbers: Iterable[int]) -> Iterator[None]:
    """Let processes that start meanwhile receive no signals; this thread receives them afterwards.

    On Windows, such processes never hear Ctrl-C, and a Ctrl-C meanwhile is lost.
    """
    if sys.platform == "win32":
        ignore = ctypes.windll.kernel32.SetConsoleCtrlHandler
        ignore(None, True)  # which processes inherit
        try:
            yield
        finally:
            ignore(None, False)
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
