"""Output files: their names, checks that protect inputs and existing files, and atomic writes."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zlib import crc32

from dpid_cli.errors import FileError, reason
from dpid_cli.files.folders import Tree, held
from dpid_cli.platform import (
    BINARY,
    NO_LINKS,
    NO_WAITING,
    RENAMES_OPEN_FILES,
    is_reserved,
    name_open_file,
    of_system,
    open_nameless,
    replace,
    set_permissions,
    set_times,
    try_lock,
)

_WRITERS = 8  # processes that may write one target at the same time under temporary names
_ROUNDS = 100  # attempts to find a free name while other writers come and go
_FORGOTTEN = 60  # seconds after which nobody renames a closed draft any more


@dataclass(frozen=True)
class Attributes:
    """What a file has besides content: times of access and change in nanoseconds, and permissions."""

    times: tuple[int, int] | None = None
    mode: int | None = None


def default_name(
    stem: str, method: str | None, scale: float | None, size: tuple[int, int], extension: str
) -> str:
    """``{stem}_{method}_x{scale}{ext}``, or ``_{width}x{height}`` where the request was not a scale.

    Without a method, for an image that is not downscaled, the name has none.
    """
    what = f"{size[0]}x{size[1]}" if scale is None else f"x{scale:.6g}"
    return "_".join(filter(None, (stem, method, what))) + extension


def same_file(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file, through links too."""
    try:
        return of_system(path).samefile(of_system(other))
    except OSError:
        return path.absolute() == other.absolute()


def check_target(target: Path, inputs: Iterable[Path], written: Iterable[Path], overwrite: bool) -> None:
    """Raise a `FileError` if writing `target` would lose something, or cannot succeed.

    Neither the inputs of the run nor the outputs `written` so far are ever replaced; `overwrite` is whether
    other existing files may be.
    """
    if is_reserved(target):
        raise FileError(f"{target}: Windows gives this name another meaning: choose another output")
    if any(same_file(target, path) for path in inputs):
        raise is_input(target)
    if any(same_file(target, path) for path in written):
        raise FileError(f"{target}: another output of this run has this name: choose another output")
    try:
        if of_system(target).is_dir():
            raise is_a_folder(target)
        kind = of_system(target).lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        _check_folder(target)
        return
    except OSError as error:
        raise FileError(f"{target}: cannot be written: {reason(error)}: choose another output") from error
    if not overwrite:
        raise exists_already(target)
    if not stat.S_ISREG(kind):
        raise FileError(f"{target}: not a regular file: remove it, or choose another output")


def _check_folder(target: Path) -> None:
    """Raise a `FileError` if the folder, or the one in which it would be created, takes no files."""
    folder = target.parent
    while not os.path.lexists(of_system(folder)):
        if folder == folder.parent:  # a drive, or a share of another machine
            raise FileError(f"{folder}: there is no such drive: choose another output")
        folder = folder.parent
    if not of_system(folder).is_dir():
        raise FileError(f"{folder}: not a folder: choose another output")
    if not os.access(of_system(folder), os.W_OK | os.X_OK):
        raise FileError(
            f"{folder}: the folder is read-only, so no file can be created: choose another output"
        )


def check_folder(target: Path) -> None:
    """Raise a `FileError` if the folder of an output is missing: a mistyped name creates no folders."""
    if not os.path.lexists(of_system(target.parent)):
        raise FileError(f"{target}: cannot be written: there is no folder {target.parent}: create it first")


class ExistsError(FileError):
    """An output that exists and must not be replaced."""


def exists_already(target: Path | str) -> FileError:
    """The error for an output that exists and must not be replaced."""
    return ExistsError(f"{target}: exists already: use --overwrite, or choose another output")


def is_input(target: Path | str) -> FileError:
    """The error for an output that would replace an input."""
    return FileError(f"{target}: this is an input, which is never overwritten: choose another output")


def is_a_folder(target: Path | str) -> FileError:
    """The error for an output whose path is a folder."""
    return FileError(f"{target}: is a folder: give the name of a file")


@contextmanager
def atomic(
    target: Path, overwrite: bool, attributes: Attributes | None = None, tree: Tree | None = None
) -> Iterator[IO[bytes]]:
    """A stream whose content becomes `target` when the block ends, and vanishes if the block fails.

    The content is flushed to the disk before it takes the target's place, so that at every moment either the
    old file or the whole new one is there. The new file has the `attributes`, and without a mode among them
    it inherits the permissions of the file that it replaces. Within a `tree`, no new link is followed.
    Raises a `FileError` if the target cannot be written, exists although `overwrite` is false, or if another
    folder has taken the place of its folder.
    """
    attributes = attributes or Attributes()
    with ExitStack() as stack:
        try:
            place = of_system(stack.enter_context(held(target.parent, tree)) / target.name)
            permissions = _permissions(place) if attributes.mode is None else attributes.mode
            draft = _draft(place, 0o666 if permissions is None else permissions | 0o600)
        except OSError as error:
            raise FileError(f"{target}: cannot be written: {reason(error)}: check the folder") from error
        stack.callback(draft.discard)
        try:
            with os.fdopen(draft.handle, "wb", closefd=False) as stream:
                yield stream
                stream.flush()
                os.fsync(draft.handle)
            if permissions is not None:
                set_permissions(draft.handle, permissions)
            if attributes.times is not None:
                set_times(draft.handle, draft.name, attributes.times)
            if not RENAMES_OPEN_FILES:
                draft.close()
            if not of_system(target.parent).samefile(place.parent):
                raise FileError(f"{target}: cannot be written: its folder was replaced meanwhile: try again")
            if overwrite:
                replace(draft.name or _temporary_link(draft, place), place)
                draft.name = None  # other writers may use it now
            else:
                _put(draft, place)
        except FileExistsError:
            raise exists_already(target) from None
        except OSError as error:
            what = f"{target}: cannot be written: {reason(error)}"
            raise FileError(f"{what}: check space and rights") from error


@dataclass
class _Draft:
    """A file that has no name yet, or a temporary one."""

    handle: int
    name: Path | None = None
    is_open: bool = True

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            os.close(self.handle)

    def discard(self) -> None:
        if not RENAMES_OPEN_FILES:
            self.close()
        if self.name is not None:
            with suppress(OSError):
                self.name.unlink()
        self.close()


def _permissions(target: Path) -> int | None:
    """Permissions of the file that will be replaced; None if there is none."""
    try:
        return stat.S_IMODE(os.lstat(target).st_mode)
    except OSError:
        return None


def _draft(target: Path, mode: int) -> _Draft:
    """An empty file open for writing."""
    _remove_leftovers(target)
    try:
        draft = _Draft(open_nameless(target.parent, mode))
    except OSError:  # a system or file system that cannot
        return _named(target, mode)
    try_lock(draft.handle)
    return draft


def _put(draft: _Draft, target: Path) -> None:
    """Give a file the name of its target; a `FileExistsError` if that is taken, even by a broken link."""
    if draft.name is None:
        name_open_file(draft.handle, target)
        return
    try:
        os.link(draft.name, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        replace(draft.name, target)


def _temporary_names(target: Path) -> list[str]:
    """Names that only drafts of this target have; short enough for any file system."""
    prefix = f".{target.name[:40]}.{crc32(os.fsencode(target.name)):08x}"
    path = target.parent / prefix
    return [f"{path}-{number}.tmp" for number in range(_WRITERS)]  # quicker to make than paths


def _free_names(target: Path) -> Iterator[Path]:
    """Temporary names to try, until an `OSError` says that all are taken."""
    names = _temporary_names(target)
    for _ in range(_ROUNDS):
        yield from map(Path, names)
    raise OSError(errno.EBUSY, f"others are writing it, or left {Path(names[0]).name}")


def _temporary_link(draft: _Draft, target: Path) -> Path:
    for name in _free_names(target):
        with suppress(FileExistsError):
            name_open_file(draft.handle, name)
            draft.name = name
            break
    return name


def _named(target: Path, mode: int) -> _Draft:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_LINKS | BINARY
    for name in _free_names(target):
        with suppress(FileExistsError):
            draft = _Draft(os.open(name, flags, mode), name)
            if try_lock(draft.handle) is not False and is_named(draft.handle, name):
                break  # no other writer has removed it
            draft.close()
    return draft


def is_named(handle: int, name: Path | str) -> bool:
    """Whether an open file has this name."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(name))
    except OSError:
        return False


def _remove_leftovers(target: Path) -> None:
    """Remove temporary files that killed writers of this target have left."""
    for name in _temporary_names(target):
        if not RENAMES_OPEN_FILES:
            _remove_if_old(name)
            continue
        try:
            handle = os.open(name, os.O_RDWR | NO_LINKS | NO_WAITING)
        except OSError:  # usually there is none
            continue
        _Draft(handle, Path(name) if _is_leftover(handle, name) else None).discard()


def _remove_if_old(name: str) -> None:
    """Remove a draft that its writer has forgotten; it cannot be opened, as it could not be renamed then."""
    with suppress(OSError):
        if time.time() - os.lstat(name).st_mtime > _FORGOTTEN:
            Path(name).unlink()


def _is_leftover(handle: int, name: str) -> bool:
    """Whether no other process writes a temporary file."""
    try:
        return stat.S_ISREG(os.fstat(handle).st_mode) and bool(try_lock(handle)) and is_named(handle, name)
    except OSError:
        return False
