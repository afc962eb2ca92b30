"""Files at addresses such as ``s3://bucket/photos/a.png``, through fsspec.

fsspec and the package for a scheme are imported only when such an address is used.
"""

from __future__ import annotations

import io
import os
import posixpath
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import IO, Any, TypeVar

from dpid_cli.errors import ArgumentError, DpidError, FileError, one_line, reason
from dpid_cli.files.output import exists_already, is_a_folder
from dpid_cli.files.streams import replayed

T = TypeVar("T")

_PASSWORD = re.compile(r"://[^/@]*:[^/]*@")
_ALIASES = {"s3a": "s3", "gcs": "gs", "ssh": "sftp", "abfss": "abfs", "az": "abfs"}
_STORES = ("s3", "gs", "abfs")  # object stores, where a write under a key succeeds as a whole or not at all
_PERMANENT = (FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)
_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "created")
_BEGINNING = 1 << 18  # bytes to read first: all of a small file, and the header of a large one


def real(address: str) -> str:
    """The address in its normal form: the usual name of the scheme, no ``/`` at the end."""
    scheme, _, rest = address.partition("://")
    return f"{_scheme(scheme)}://{rest.rstrip('/')}"


def entries(folder: str) -> Iterator[tuple[str, bool]]:
    """Names of all entries of a folder, and whether each is a folder; skips links to folders.

    Keeps the listing of one folder in memory. Raises an `OSError` if it cannot be read.
    """
    for name, kind in _call(folder, _listed):
        if kind != "link":
            yield name, kind == "directory"
        elif not _call(f"{folder.rstrip('/')}/{name}", lambda files, path: files.isdir(path)):
            yield name, False


def is_folder(address: str) -> bool:
    """Whether the address is that of a folder, or a prefix of keys."""
    return _kind(address) == "directory"


def is_file(address: str) -> bool:
    """Whether something other than a folder has this address."""
    return _kind(address) not in (None, "directory")


def length(address: str) -> int | None:
    """Size of a file in bytes; None if there is none."""
    info = _info(address)
    return None if info is None or info["type"] == "directory" else int(info["size"] or 0)


def stamp(address: str) -> tuple[int, int]:
    """Size of an input in bytes and its modification time in nanoseconds, 0 where unknown."""
    info = _info(address) or {}
    return int(info.get("size") or 0), _nanoseconds(info)


def etag(address: str) -> str | None:
    """The entity tag that a store gives to this content; None if it gives none."""
    info = _info(address) or {}
    tag = info.get("ETag") or info.get("etag") or info.get("md5Hash")
    return f"etag:{str(tag).strip(chr(34))}" if tag else None


def refuse(address: str, overwrite: bool) -> None:
    """Raise a `FileError` if an output must not be written there."""
    if overwrite and _scheme(address.partition("://")[0]) in _STORES:
        return  # no need to look: a store has no folders
    kind = _kind(address)
    if kind == "directory":
        raise is_a_folder(address)
    if kind is not None and not overwrite:
        raise exists_already(address)


@contextmanager
def opened(address: str, most: int) -> Iterator[IO[bytes]]:
    """A seekable stream, which fetches the beginning first, and all the rest when more is needed.

    Raises a `FileError` if the file cannot be read; while it is read, if it has more than `most` bytes.
    """
    with closing(_Pulled(address, most)) as source, replayed(source, address, most) as stream:
        yield stream


@contextmanager
def written(address: str, overwrite: bool) -> Iterator[IO[bytes]]:
    """A stream whose content becomes the file when the block ends.

    A store takes the content in one request, whole or not at all. Other servers get it under a unique
    temporary name in the same folder; then it is renamed.
    """
    buffer = io.BytesIO()
    yield buffer
    put = _put if _scheme(address.partition("://")[0]) in _STORES else _moved
    try:
        with _file_errors(address, "written"):
            _call(address, lambda files, path: put(files, path, buffer.getvalue(), overwrite))
    except FileExistsError:
        raise exists_already(address) from None


def _put(files: Any, path: str, content: bytes, overwrite: bool) -> None:
    files.pipe_file(path, content, **({} if overwrite else {"mode": "create"}))


def _moved(files: Any, path: str, content: bytes, overwrite: bool) -> None:
    folder, name = posixpath.split(path)
    draft = posixpath.join(folder, f".{name[:40]}.{os.urandom(8).hex()}.tmp")
    try:
        try:
            files.pipe_file(draft, content)
        except FileNotFoundError:
            _make_folder(files, folder)
            files.pipe_file(draft, content)
        if not overwrite and files.exists(path):
            raise FileExistsError(path)
        files.mv(draft, path)
    except BaseException:
        with suppress(Exception):
            files.rm_file(draft)
        raise


def _make_folder(files: Any, folder: str) -> None:
    try:
        files.makedirs(folder, exist_ok=True)
    except OSError:
        if not files.isdir(folder):  # no other worker has created it
            files.makedirs(folder, exist_ok=True)


class _Pulled(io.RawIOBase):
    """The bytes of a file in sequence: its beginning, then all the rest at once."""

    def __init__(self, address: str, most: int) -> None:
        super().__init__()
        self._address, self._most = address, most
        self._source: Any = None  # the thread that reads it closes it
        self._fetched = 0
        self._left = io.BytesIO(self._fetch(_BEGINNING))

    def read(self, size: int = -1, /) -> bytes:
        part = self._left.read(size)
        if not part and self._fetched == _BEGINNING:
            self._left = io.BytesIO(self._fetch(self._most + 1 - _BEGINNING))
            part = self._left.read(size)
        return part

    def close(self) -> None:
        if self._source is not None:
            with suppress(Exception):  # everything needed has been read
                self._source.close()
        super().close()

    def _fetch(self, size: int) -> bytes:
        with _file_errors(self._address, "read"):
            content = _call(self._address, lambda files, path: self._of(files, path, size))
        self._fetched += len(content)
        return content

    def _of(self, files: Any, path: str, size: int) -> bytes:
        source, self._source = self._source, None
        if source is None:
            source = files.open(path, "rb", cache_type="none")
        source.seek(self._fetched)
        content: bytes = source.read(size)
        self._source = source  # dropped if reading fails
        return content


def _call(address: str, action: Callable[[Any, str], T]) -> T:
    """Call `action`; after an error that may be temporary, once more through a new connection.

    Raises an `OSError`, whatever the library behind the scheme raised, or an `ArgumentError`.
    """
    try:
        return action(*_located(address))
    except (DpidError, *_PERMANENT):
        raise
    except Exception:
        _disconnect(address)
    try:
        return action(*_located(address))
    except (DpidError, OSError):
        raise
    except Exception as error:
        raise OSError(one_line(error)) from error


def _located(address: str) -> tuple[Any, str]:
    """The file system of an address, one per thread, and the path in it."""
    scheme = address.partition("://")[0]
    if _PASSWORD.search(address):
        raise ArgumentError(
            f"{_PASSWORD.sub('://...@', address)}: the password would appear in reports: "
            "use a key, or the environment variables of the service"
        )
    try:
        if _scheme(scheme) == "sftp":
            from dpid_cli.files.sftp import Sftp
        else:
            from fsspec.core import url_to_fs

            files, path = url_to_fs(address)
    except ImportError as error:
        raise ArgumentError(
            f"{address}: {one_line(error).rstrip('.')}: {scheme}:// needs another package: "
            'for s3:// and sftp://, install it with: pip install "dpid-cli[remote]"'
        ) from error
    except ValueError as error:
        raise ArgumentError(f"{address}: {one_line(error)}: check the address") from error
    if _scheme(scheme) == "sftp":
        return Sftp(**Sftp.options(address)), Sftp.path(address)
    return files, str(path)


def _disconnect(address: str) -> None:
    """Make the next call open a new connection."""
    with suppress(Exception):
        type(_located(address)[0]).clear_instance_cache()


@contextmanager
def _file_errors(address: str, done: str) -> Iterator[None]:
    """Turn an `OSError` into a `FileError`; callers handle a `FileExistsError` themselves."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        what = f"{address}: cannot be {done}: {_reason(error)}"
        raise FileError(f"{what}: check the address and your permissions there") from error


def _reason(error: OSError) -> str:
    """What went wrong; some libraries give only a path."""
    if error.strerror is None:
        for kind, text in (FileNotFoundError, "no such file"), (PermissionError, "permission denied"):
            if isinstance(error, kind):
                return text
    return one_line(OSError(reason(error)))


def _info(address: str) -> dict[str, Any] | None:
    """What the server says of a file or folder; None if there is none."""
    with _file_errors(address, "read"), suppress(FileNotFoundError, NotADirectoryError):
        info: dict[str, Any] = _call(address, lambda files, path: files.info(path))
        return info
    return None


def _kind(address: str) -> str | None:
    info = _info(address)
    return None if info is None else str(info["type"])


def _listed(files: Any, path: str) -> list[tuple[str, str]]:
    own = path.rstrip("/")
    try:
        listing = files.ls(path, detail=True)
    finally:
        files.invalidate_cache()  # the folder may change until the next call
    found = ((entry["name"].rstrip("/"), entry["type"]) for entry in listing)
    return [(posixpath.basename(name), kind) for name, kind in found if name != own]


def _nanoseconds(info: dict[str, Any]) -> int:
    value = next((info[key] for key in _MODIFIED if info.get(key)), None)
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        value = value if value.tzinfo else value.replace(tzinfo=UTC)
        return int(value.replace(microsecond=0).timestamp()) * 10**9 + value.microsecond * 1000
    return int(value * 1e9) if isinstance(value, int | float) else 0


def _scheme(name: str) -> str:
    return _ALIASES.get(name.lower(), name.lower())
