"""Files of a batch by their paths, as text: what else of the code needs to know of where they lie.

Everything that lists, reads, compares or writes inputs and results of a batch goes through these functions.
A path may be an address such as ``s3://bucket/a.png``, of which `remote` knows.
"""

from __future__ import annotations

import io
import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import IO

from dpid_cli.errors import FileError
from dpid_cli.files import remote
from dpid_cli.files.remote import is_address
from dpid_cli.files.streams import MOST_BYTES
from dpid_cli.files.streams import opened as opened_here
from dpid_cli.files.targets import atomic, check_target, is_input, make_directory, reason

__all__ = [
    "absolute",
    "checksum",
    "confirmed",
    "entries",
    "folder_id",
    "identities",
    "is_address",
    "is_file",
    "is_folder",
    "joined",
    "last",
    "length",
    "mirrored",
    "opened",
    "real",
    "refuse",
    "relative",
    "same",
    "stamp",
    "written",
]

_BLOCK = 1 << 20


def joined(folder: str, name: str) -> str:
    """The path of a name, with ``/`` between its parts, below a folder."""
    if is_address(folder):
        return folder + name if folder.endswith("/") else f"{folder}/{name}"
    return os.path.join(folder, *name.split("/"))


def absolute(path: str, base: str) -> str:
    """The path as it stands where `base` is the current folder."""
    return path if is_address(path) else os.path.join(base, path)


def last(path: str) -> str:
    """The name of a file without its folder."""
    return path.rpartition("/")[2] if is_address(path) else os.path.basename(path)


def mirrored(path: str) -> str:
    """A path as it stands, with ``/`` between its parts; only the name if it does not lead down from here."""
    if is_address(path):
        return last(path)
    name = os.path.normpath(path)
    if os.path.isabs(name) or name.split(os.sep)[0] == os.pardir:
        return last(path)
    return name.replace(os.sep, "/")


def relative(path: str, root: str) -> str | None:
    """The way from a folder down to a file, with ``/`` between its parts; None if there is none."""
    if is_address(path) or is_address(root):
        above = real(root) + "/"
        return real(path).removeprefix(above) if real(path).startswith(above) else None
    name = os.path.relpath(real(path), _real(_from_here(root)))
    return None if name.split(os.sep)[0] == os.pardir else name.replace(os.sep, "/")


def is_folder(path: str) -> bool:
    """Whether a folder, or a link to one, lies there."""
    return remote.is_folder(path) if is_address(path) else os.path.isdir(path)


def is_file(path: str) -> bool:
    """Whether something that is no folder lies there, be it a broken link."""
    if is_address(path):
        return remote.is_file(path)
    return os.path.lexists(path) and not os.path.isdir(path)


def entries(folder: str) -> Iterator[tuple[str, bool]]:
    """Name of everything in a folder, in no order, and whether it is a folder, or a link to one.

    Raises an OSError where the folder cannot be read.
    """
    if is_address(folder):
        yield from remote.entries(folder)
        return
    with os.scandir(folder) as found:
        for entry in found:
            folder_too = False
            with suppress(OSError):  # a link to itself
                folder_too = entry.is_dir()
            yield entry.name, folder_too


def folder_id(folder: str) -> object:
    """What tells whether two paths, through links, lead to one folder; an OSError if it is not there."""
    if is_address(folder):
        return remote.real(folder)
    found = os.stat(folder)
    return found.st_dev, found.st_ino


def identities(path: str, linked: bool = False) -> list[bytes]:
    """16 bytes that two paths share if they lead to one file, here or where case is ignored.

    With `linked`, those of the file that a link leads to are added to those of the link.
    """
    paths = [real(path)]
    if linked and not is_address(path) and os.path.islink(path):
        paths.append(os.path.realpath(path))
    return [_folded(path) for path in paths]


def spelled(path: str) -> str:
    """What all spellings of a path share; links stay, as one file may be two inputs."""
    return path if is_address(path) else os.path.abspath(path)


def real(path: str) -> str:
    """The path without links on its way; a link at its end, which a result would replace, is kept."""
    if is_address(path):
        return remote.real(path)
    folder, name = os.path.split(_from_here(path))
    return os.path.join(_real(folder), name)


def same(path: str, other: str) -> bool:
    """Whether two paths lead to one file."""
    if is_address(path) or is_address(other):
        return real(path) == real(other)
    return os.path.realpath(path) == os.path.realpath(other)


def _from_here(path: str) -> str:
    """An absolute path; one that is needs no current folder, which may be gone."""
    return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)


@lru_cache(4096)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _folded(path: str) -> bytes:
    """NFC of what has no case, by hash: some file systems take paths for one that differ in no more."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
    return blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def length(path: str) -> int | None:
    """Bytes of a regular file; None if there is none."""
    if is_address(path):
        return remote.length(path)
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def stamp(path: str) -> tuple[int, int]:
    """Bytes of an input, and when it was changed last, in nanoseconds; (0, 0) if it is not there."""
    if is_address(path):
        return remote.stamp(path)
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def checksum(path: str) -> str:
    """Of the content of an input: BLAKE2b, 128 bits; or what the store that has it tells of it, unread."""
    if is_address(path) and (told := remote.etag(path)):
        return told
    digest = blake2b(digest_size=16)
    with opened(path) as stream:
        try:
            while block := stream.read(_BLOCK):
                digest.update(block)
        except OSError as error:
            raise FileError(f"{path}: cannot be read: {reason(error)}: check the disk") from error
    return digest.hexdigest()


def refuse(path: str, source: str, overwrite: bool) -> None:
    """Raise a `FileError` if the result of an input must not be written there."""
    if is_address(path):
        if same(path, source):
            raise is_input(path)
        remote.refuse(path, overwrite)
        return
    check_target(Path(path), (Path(source),), (), overwrite)


def opened(path: str, most: int = MOST_BYTES) -> AbstractContextManager[IO[bytes]]:
    """A seekable stream of an input, of which no more than `most` bytes are kept in memory."""
    return remote.opened(path, most) if is_address(path) else opened_here(path, most)


@contextmanager
def written(path: str, overwrite: bool) -> Iterator[IO[bytes]]:
    """A stream whose content becomes the file, whole or not at all; missing folders are made."""
    if is_address(path):
        with remote.written(path, overwrite) as stream:
            yield stream
        return
    target = Path(path)
    if target.parent.is_dir():
        with atomic(target, overwrite) as stream:
            yield stream
        return
    buffer = io.BytesIO()  # what cannot be encoded makes no folder
    yield buffer
    make_directory(target.parent)
    with atomic(target, overwrite) as stream:
        stream.write(buffer.getbuffer())


@contextmanager
def confirmed(path: str) -> Iterator[IO[bytes]]:
    """A stream whose content must be that of the file, which stays; a `FileError` if it has another."""
    buffer = io.BytesIO()
    yield buffer
    if length(path) != buffer.getbuffer().nbytes or not _holds(path, buffer):
        what = f"{path}: exists already, with another content"
        raise FileError(f"{what}: use --overwrite, or choose another output")


def _holds(path: str, content: IO[bytes]) -> bool:
    content.seek(0)
    with opened(path) as stream:
        return all(part == content.read(_BLOCK) for part in iter(lambda: stream.read(_BLOCK), b""))
