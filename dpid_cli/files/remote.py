"""Files behind addresses such as ``s3://bucket/photos/a.png``, through fsspec.

fsspec and what it needs for a scheme are imported when an address is used, and only then.
"""

from __future__ import annotations

import io
import posixpath
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import IO, Any, TypeVar

from dpid_cli.errors import ArgumentError, DpidError, FileError, one_line
from dpid_cli.files.streams import replayed
from dpid_cli.files.targets import exists_already, is_directory, reason

T = TypeVar("T")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_PASSWORD = re.compile(r"://[^/@]*:[^/]*@")
_ALIASES = {"s3a": "s3", "gcs": "gs", "ssh": "sftp", "abfss": "abfs", "az": "abfs"}
_STORES = ("s3", "gs", "abfs")  # where what is put under a key is there as a whole, or not
_LASTING = (FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)
_CHANGED = ("mtime", "LastModified", "last_modified", "updated", "created")
_BEGINNING = 1 << 18  # bytes that are read first: all of a small file, and the header of a large one


def is_address(path: str) -> bool:
    """Whether a path is an address: ``scheme://``, then what the scheme says."""
    return _SCHEME.match(path) is not None


def real(address: str) -> str:
    """One form for addresses that differ in no more than the name of the scheme or a ``/`` at the end."""
    scheme, _, rest = address.partition("://")
    return f"{_scheme(scheme)}://{rest.rstrip('/')}"


def entries(folder: str) -> Iterator[tuple[str, bool]]:
    """Name of everything in a folder, and whether it is a folder; links to folders are left out.

    The listing of one folder is held in memory. Raises an OSError where it cannot be read.
    """
    for name, kind in _call(folder, _listed):
        if kind != "link":
            yield name, kind == "directory"
        elif _kind(f"{folder.rstrip('/')}/{name}") != "directory":
            yield name, False


def is_folder(address: str) -> bool:
    """Whether a folder lies there, or keys that begin like that."""
    with _told(address, "read"):
        return _kind(address) == "directory"


def is_file(address: str) -> bool:
    """Whether something that is no folder lies there."""
    with _told(address, "read"):
        return _kind(address) not in (None, "directory")


def length(address: str) -> int | None:
    """Bytes of a file; None if there is none."""
    with _told(address, "read"):
        found = _info(address)
    return None if found is None or found["type"] == "directory" else int(found["size"] or 0)


def stamp(address: str) -> tuple[int, int]:
    """Bytes of an input, and when it was changed last, in nanoseconds, as far as that is known."""
    with _told(address, "read"):
        found = _info(address) or {}
    return int(found.get("size") or 0), _nanoseconds(found)


def etag(address: str) -> str | None:
    """What a store says of the content, which is another when that changes; None where it says nothing."""
    with _told(address, "read"):
        found = _info(address) or {}
    told = found.get("ETag") or found.get("etag") or found.get("md5Hash")
    return f"etag:{str(told).strip(chr(34))}" if told else None


def refuse(address: str, overwrite: bool) -> None:
    """Raise a `FileError` if a result must not be written there."""
    if overwrite and _scheme(address.partition("://")[0]) in _STORES:
        return  # whatever is there; a store has no folders
    with _told(address, "read"):
        kind = _kind(address)
    if kind == "directory":
        raise is_directory(address)
    if kind is not None and not overwrite:
        raise exists_already(address)


@contextmanager
def opened(address: str, most: int) -> Iterator[IO[bytes]]:
    """A seekable stream: of the beginning, and as soon as more is needed, of all that there is.

    Raises a `FileError` if it cannot be read; while it is read, if there are more than `most` bytes.
    """
    with closing(_Pulled(address, most)) as source, replayed(source, address, most) as stream:
        yield stream


@contextmanager
def written(address: str, overwrite: bool) -> Iterator[IO[bytes]]:
    """A stream whose content becomes the file when the block ends.

    A store takes it in one request, whole or not at all. Elsewhere it is written beside its place, under a
    name that nobody else has, and then moved.
    """
    buffer = io.BytesIO()
    yield buffer
    put = _put if _scheme(address.partition("://")[0]) in _STORES else _moved
    try:
        with _told(address, "written"):
            _call(address, lambda files, path: put(files, path, buffer.getvalue(), overwrite))
    except FileExistsError:
        raise exists_already(address) from None


def _put(files: Any, path: str, content: bytes, overwrite: bool) -> None:
    files.pipe_file(path, content, **({} if overwrite else {"mode": "create"}))


def _moved(files: Any, path: str, content: bytes, overwrite: bool) -> None:
    folder, name = posixpath.split(path)
    draft = posixpath.join(folder, f".{name[:40]}.{secrets.token_hex(8)}.tmp")
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
        if not files.isdir(folder):  # another worker has not made it, either
            files.makedirs(folder, exist_ok=True)


class _Pulled(io.RawIOBase):
    """The bytes of a file one after the other: its beginning, then all the rest at once."""

    def __init__(self, address: str, most: int) -> None:
        super().__init__()
        self._address, self._most = address, most
        self._source: Any = None  # closed by the thread that reads it
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
            with suppress(Exception):  # all that was needed has been read
                self._source.close()
        super().close()

    def _fetch(self, size: int) -> bytes:
        with _told(self._address, "read"):
            content = _call(self._address, lambda files, path: self._of(files, path, size))
        self._fetched += len(content)
        return content

    def _of(self, files: Any, path: str, size: int) -> bytes:
        source, self._source = self._source, None
        if source is None:
            source = files.open(path, "rb", cache_type="none")
        source.seek(self._fetched)
        content: bytes = source.read(size)
        self._source = source  # not kept if it has failed
        return content


def _call(address: str, action: Callable[[Any, str], T]) -> T:
    """Do something; once more, through a new connection, if it fails for a reason that may pass.

    Raises an OSError, whatever the library of the scheme has raised, or an `ArgumentError`.
    """
    try:
        return action(*_place(address))
    except (DpidError, *_LASTING):
        raise
    except Exception:
        _disconnect(address)
    try:
        return action(*_place(address))
    except (DpidError, OSError):
        raise
    except Exception as error:
        raise OSError(one_line(error)) from error


def _place(address: str) -> tuple[Any, str]:
    """The file system of an address, one for each thread, and the path in it."""
    scheme = address.partition("://")[0]
    if _PASSWORD.search(address):
        raise ArgumentError(
            f"{_PASSWORD.sub('://...@', address)}: the password would stand in reports: "
            "use a key, or the variables of the service"
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
            'pip install "dpid-cli[remote]" has those for s3:// and sftp://'
        ) from error
    except ValueError as error:
        raise ArgumentError(f"{address}: {one_line(error)}: check the address") from error
    if _scheme(scheme) == "sftp":
        return Sftp(**Sftp.options(address)), Sftp.path(address)
    return files, str(path)


def _disconnect(address: str) -> None:
    """Let the next call connect anew."""
    with suppress(Exception):
        type(_place(address)[0]).clear_instance_cache()


@contextmanager
def _told(address: str, done: str) -> Iterator[None]:
    """Errors as a `FileError`, but for those that mean something to the caller."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        what = f"{address}: cannot be {done}: {_reason(error)}"
        raise FileError(f"{what}: check the address and your rights there") from error


def _reason(error: OSError) -> str:
    """What is said of it; some libraries give no more than a path."""
    if error.strerror is None:
        for kind, told in (FileNotFoundError, "no such file"), (PermissionError, "permission denied"):
            if isinstance(error, kind):
                return told
    return one_line(OSError(reason(error)))


def _info(address: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = _call(address, lambda files, path: files.info(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found


def _kind(address: str) -> str | None:
    found = _info(address)
    return None if found is None else str(found["type"])


def _listed(files: Any, path: str) -> list[tuple[str, str]]:
    own = path.rstrip("/")
    try:
        found = files.ls(path, detail=True)
    finally:
        files.invalidate_cache()  # what is asked later may have changed
    told = ((entry["name"].rstrip("/"), entry["type"]) for entry in found)
    return [(posixpath.basename(name), kind) for name, kind in told if name != own]


def _nanoseconds(info: dict[str, Any]) -> int:
    value = next((info[key] for key in _CHANGED if info.get(key)), None)
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        value = value if value.tzinfo else value.replace(tzinfo=UTC)
        return int(value.replace(microsecond=0).timestamp()) * 10**9 + value.microsecond * 1000
    return int(value * 1e9) if isinstance(value, int | float) else 0


def _scheme(name: str) -> str:
    return _ALIASES.get(name.lower(), name.lower())
