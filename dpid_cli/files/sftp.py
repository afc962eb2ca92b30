"""SFTP as OpenSSH's commands do it: servers in ``known_hosts``, and what ``~/.ssh/config`` says of them."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

_SECONDS = 60.0  # without an answer
_PIECE = 1 << 15  # bytes that every server gives in one answer


class Sftp(SFTPFileSystem):  # type: ignore[misc]  # it has no types
    """fsspec's file system, which by itself would trust any server that answers."""

    @classmethod
    def options(cls, address: str) -> dict[str, Any]:
        """Host, user and port of an address, as far as it has them."""
        told = urlsplit(address)
        found = {"host": told.hostname, "username": told.username, "port": told.port}
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def path(cls, address: str) -> str:
        """The path on the server, from its root; characters stand for themselves."""
        return "/" + address.partition("://")[2].partition("/")[2]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return cls.path(path) if "://" in path else path

    def _connect(self) -> None:
        options = _configured(self.host) | self.ssh_kwargs
        host = options.pop("hostname")
        self.client = paramiko.SSHClient()
        self.client.load_system_host_keys()
        self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        self.client.connect(host, **{"timeout": _SECONDS, "transport_factory": _prompt} | options)
        self.ftp = self.client.open_sftp()
        self.ftp.get_channel().settimeout(_SECONDS)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        found = super()._open(path, mode, **options)
        return _Ahead(found) if mode == "rb" else found


class _Ahead:
    """A file whose pieces are all asked for at once, so that only the first is waited for."""

    def __init__(self, file: paramiko.SFTPFile) -> None:
        self._file = file

    def seek(self, place: int) -> None:
        self._file.seek(place)

    def read(self, size: int) -> bytes:
        start = self._file.tell()
        stop = min(start + size, self._file.stat().st_size or 0)
        pieces = [(place, min(_PIECE, stop - place)) for place in range(start, stop, _PIECE)]
        return b"".join(self._file.readv(pieces))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _prompt(connection: socket.socket, **options: Any) -> paramiko.Transport:
    """SSH that sends at once, and does not keep what is short until the last piece has been acknowledged."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return paramiko.Transport(connection, **options)


def _configured(host: str) -> dict[str, Any]:
    path = Path.home() / ".ssh" / "config"
    config = paramiko.SSHConfig.from_path(str(path)) if path.exists() else paramiko.SSHConfig()
    told = config.lookup(host)
    found: dict[str, Any] = {"hostname": told["hostname"]}
    if "user" in told:
        found["username"] = told["user"]
    if "port" in told:
        found["port"] = int(told["port"])
    if "identityfile" in told:
        found["key_filename"] = told["identityfile"]
    return found
