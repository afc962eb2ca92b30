"""SFTP like OpenSSH's commands: trusts only servers in ``known_hosts``, and reads ``~/.ssh/config``."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

_TIMEOUT = 60.0  # seconds without an answer
_CHUNK = 1 << 15  # bytes that every server sends in one answer


class Sftp(SFTPFileSystem):  # type: ignore[misc]  # it has no types
    """fsspec's file system, which without this would trust any server that answers."""

    @classmethod
    def options(cls, address: str) -> dict[str, Any]:
        """Those of host, user and port that an address has."""
        parts = urlsplit(address)
        options = {"host": parts.hostname, "username": parts.username, "port": parts.port}
        return {name: value for name, value in options.items() if value is not None}

    @classmethod
    def path(cls, address: str) -> str:
        """The path on the server, from its root, taken literally: ``%20`` is no space."""
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
        self.client.connect(host, **{"timeout": _TIMEOUT, "transport_factory": _without_delay} | options)
        self.ftp = self.client.open_sftp()
        self.ftp.get_channel().settimeout(_TIMEOUT)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        file = super()._open(path, mode, **options)
        return _Prefetching(file) if mode == "rb" else file


class _Prefetching:
    """A file that requests all chunks of a read at once, and so waits only for the first."""

    def __init__(self, file: paramiko.SFTPFile) -> None:
        self._file = file

    def seek(self, offset: int) -> None:
        self._file.seek(offset)

    def read(self, size: int) -> bytes:
        start = self._file.tell()
        stop = min(start + size, self._file.stat().st_size or 0)
        chunks = [(offset, min(_CHUNK, stop - offset)) for offset in range(start, stop, _CHUNK)]
        return b"".join(self._file.readv(chunks))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _without_delay(connection: socket.socket, **options: Any) -> paramiko.Transport:
    """A transport that sends short messages at once, without waiting for acknowledgements."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return paramiko.Transport(connection, **options)


def _configured(host: str) -> dict[str, Any]:
    """Options for paramiko from ``~/.ssh/config``."""
    path = Path.home() / ".ssh" / "config"
    config = paramiko.SSHConfig.from_path(str(path)) if path.exists() else paramiko.SSHConfig()
    entry = config.lookup(host)
    options: dict[str, Any] = {"hostname": entry["hostname"]}
    for name, option in ("user", "username"), ("port", "port"), ("identityfile", "key_filename"):
        if name in entry:
            options[option] = int(entry[name]) if name == "port" else entry[name]
    return options
