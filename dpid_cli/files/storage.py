"""One interface for local files and addresses such as ``s3://bucket/a.png``; paths are text.

Conversions and batches list, read, compare and write all their files through these functions.
"""

from __future__ import annotations

import io
import os
import re
import stat
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import IO

from dpid_cli.errors import ArgumentError, FileError, reason
from dpid_cli.files import remote
from dpid_cli.files.folders import Tree, make_folder
from dpid_cli.files.output import Attributes, atomic, check_target, is_input
from dpid_cli.files.streams import MOST_BYTES
from dpid_cli.files.streams import opened as opened_here
from dpid_cli.platform import of_system, system_path

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_BLOCK = 1 << 20


def is_address(path: str) -> bool:
    """Whether a path is an address: ``scheme://`` and whatever the scheme expects."""
    return _ADDRESS.match(path) is not None


def check_local(what: str, *paths: str | None) -> None:
    """Raise an `ArgumentError` for addresses, where only local files are read and written."""
    for path in paths:
        if path is not None and is_address(path):
            raise ArgumentError(
                f"{what}: {path}: is an address, not a local file: use dpid batch, which reads addresses"
            )


def joined(folder: str, name: str) -> str:
    """The path of a name below a folder; the name has ``/`` between its parts."""
    if is_address(folder):
        return folder + name if folder.endswith("/") else f"{folder}/{name}"
    return os.path.join(folder, *name.split("/"))


def absolute(path: str, base: str) -> str:
    """A relative path with `base` as its starting folder."""
    return path if is_address(path) else os.path.join(base, path)


def last(path: str) -> str:
    """The last part of a path: a name without its folder."""
    return path.rpartition("/")[2] if is_address(path) else os.path.basename(path)


def mirrored(path: str) -> str:
    """A path with ``/`` between its parts; only its last part if it leads out of the current folder."""
    if is_address(path):
        return last(path)
    name = os.path.normpath(path)
    if os.path.isabs(name) or name.split(os.sep)[0] == os.pardir:
        return last(path)
    return name.replace(os.sep, "/")


def relative(path: str, root: str) -> str | None:
    """The path of a file relative to a folder, with ``/`` between its parts; None if it is not inside."""
    if is_address(path) or is_address(root):
        above = real(root) + "/"
        return real(path).removeprefix(above) if real(path).startswith(above) else None
    name = os.path.relpath(real(path), _real(_from_here(root)))
    return None if name.split(os.sep)[0] == os.pardir else name.replace(os.sep, "/")


def is_folder(path: str) -> bool:
    """Whether the path is that of a folder, or of a link to one."""
    return remote.is_folder(path) if is_address(path) else os.path.isdir(system_path(path))


def is_file(path: str) -> bool:
    """Whether something other than a folder has this path, even a broken link."""
    if is_address(path):
        return remote.is_file(path)
    path = system_path(path)
    return os.path.lexists(path) and not os.path.isdir(path)


def entries(folder: str) -> Iterator[tuple[str, bool]]:
    """Names of all entries of a folder, in no order, and whether each is a folder or a link to one.

    Raises an `OSError` if the folder cannot be read.
    """
    if is_address(folder):
        yield from remote.entries(folder)
        return
    with os.scandir(system_path(folder)) as listing:
        for entry in listing:
            inner_folder = False
            with suppress(OSError):  # a link to itself
                inner_folder = entry.is_dir()
            yield entry.name, inner_folder


def folder_id(folder: str) -> object:
    """A value that all paths to one folder share, through links too; an `OSError` if it does not exist."""
    if is_address(folder):
        return remote.real(folder)
    status = os.stat(system_path(folder))
    return status.st_dev, status.st_ino


def identities(path: str, *, folded: bool, linked: bool = False) -> list[bytes]:
    """Hashes of 16 bytes that two paths share if they lead to one file.

    With `folded`, also paths that differ in case or in the form of accents. With `linked`, the file that a
    link leads to counts in addition to the link.
    """
    paths = [real(path)]
    if linked and not is_address(path) and os.path.islink(system_path(path)):
        paths.append(os.path.realpath(path))
    return [_hash(_folded(path) if folded else path) for path in paths]


def folds_case(folder: str) -> bool:
    """Whether names in a folder that differ only in case lead to one file.

    A folder that does not exist yet is taken to be like the one that contains it.
    """
    if is_address(folder):
        return False
    folder = os.path.realpath(folder)
    while not os.path.isdir(system_path(folder)) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    with suppress(OSError):
        for name, _ in entries(folder):
            if name != name.swapcase():
                return _is_one_file(os.path.join(folder, name), os.path.join(folder, name.swapcase()))
    above, name = os.path.split(folder)
    if name != name.swapcase() and os.stat(system_path(above)).st_dev == os.stat(system_path(folder)).st_dev:
        return _is_one_file(folder, os.path.join(above, name.swapcase()))
    return sys.platform in ("darwin", "win32")


def _is_one_file(path: str, other: str) -> bool:
    try:
        return os.path.samestat(os.lstat(system_path(path)), os.lstat(system_path(other)))
    except OSError:
        return False


def folder_of(path: str) -> str:
    """The path of the folder that contains a file."""
    return path.rpartition("/")[0] if is_address(path) else os.path.dirname(path)


def links(root: str, folder: str) -> frozenset[str]:
    """Those folders that are links, from a root down to a folder in it; of addresses none."""
    return frozenset() if is_address(root) else Tree.now(root, folder).links


def parent(path: str) -> str:
    """The name of the folder that contains a file."""
    return last(folder_of(spelled(path)))


def spelled(path: str) -> str:
    """The path in its normal form; links stay, as one file may be two inputs."""
    return path if is_address(path) else os.path.abspath(path)


def real(path: str) -> str:
    """The path with the links among its folders resolved, but not one at its end: an output replaces that."""
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
    """The absolute path; an absolute one needs no current folder, which may be deleted."""
    return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)


@lru_cache(4096)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _folded(path: str) -> str:
    """The path without case and the form of accents, which some file systems ignore."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _hash(path: str) -> bytes:
    return blake2b(path.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def length(path: str) -> int | None:
    """Size of a regular file in bytes; None if there is none."""
    if is_address(path):
        return remote.length(path)
    try:
        status = os.stat(system_path(path))
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def stamp(path: str) -> tuple[int, int]:
    """Size of an input in bytes and its modification time in nanoseconds; (0, 0) if it does not exist."""
    if is_address(path):
        return remote.stamp(path)
    try:
        status = os.stat(system_path(path))
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def attributes(source: str, target: str, *, times: bool, mode: bool) -> Attributes:
    """What an output takes over from its input; a `FileError` where one of them is an address."""
    for path in (source, target) if times or mode else ():
        if is_address(path):
            raise FileError(f"{path}: addresses have no times and permissions to keep: omit --preserve")
    try:
        status = os.stat(system_path(source))
    except OSError as error:
        raise FileError(f"{source}: cannot be read: {reason(error)}: check the path") from error
    return Attributes(
        (status.st_atime_ns, status.st_mtime_ns) if times else None,
        stat.S_IMODE(status.st_mode) & 0o777 if mode else None,
    )


def checksum(path: str) -> str:
    """BLAKE2b of the content of an input, 128 bits; or the entity tag of its store, without reading it."""
    if is_address(path) and (tag := remote.etag(path)):
        return tag
    digest = blake2b(digest_size=16)
    with opened(path) as stream:
        try:
            while block := stream.read(_BLOCK):
                digest.update(block)
        except OSError as error:
            raise FileError(f"{path}: cannot be read: {reason(error)}: check the disk") from error
    return digest.hexdigest()


def refuse(path: str, source: str, overwrite: bool) -> None:
    """Raise a `FileError` if the output of an input must not be written there."""
    if is_address(path):
        if same(path, source):
            raise is_input(path)
        remote.refuse(path, overwrite)
        return
    check_target(Path(path), (Path(source),), (), overwrite)


def opened(path: str, most: int = MOST_BYTES) -> AbstractContextManager[IO[bytes]]:
    """A seekable stream of an input, which keeps at most `most` bytes in memory."""
    return remote.opened(path, most) if is_address(path) else opened_here(path, most)


@contextmanager
def written(
    path: str, overwrite: bool, attributes: Attributes | None = None, tree: Tree | None = None
) -> Iterator[IO[bytes]]:
    """A stream whose content becomes the file, whole or not at all; creates missing folders.

    Local files get the `attributes`, and are within the `tree`.
    """
    if is_address(path):
        with remote.written(path, overwrite) as stream:
            yield stream
        return
    target = Path(path)
    if of_system(target.parent).is_dir():
        with atomic(target, overwrite, attributes, tree) as stream:
            yield stream
        return
    buffer = io.BytesIO()  # an image that cannot be encoded creates no folder
    yield buffer
    make_folder(target.parent, tree)
    with atomic(target, overwrite, attributes, tree) as stream:
        stream.write(buffer.getbuffer())


@contextmanager
def confirmed(path: str) -> Iterator[IO[bytes]]:
    """A stream whose content must equal that of the file, which stays; a `FileError` if it differs."""
    buffer = io.BytesIO()
    yield buffer
    if length(path) != buffer.getbuffer().nbytes or not _holds(path, buffer):
        what = f"{path}: exists already, with different content"
        raise FileError(f"{what}: use --overwrite, or choose another output")


def _holds(path: str, content: IO[bytes]) -> bool:
    content.seek(0)
    with opened(path) as stream:
        return all(part == content.read(_BLOCK) for part in iter(lambda: stream.read(_BLOCK), b""))
