"""SFTP as OpenSSH's commands do it: servers in ``known_hosts``, and what ``~/.ssh/config`` says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

_SECONDS = 60.0  # without an answer


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
        self.client.connect(host, **{"timeout": _SECONDS} | options)
        self.ftp = self.client.open_sftp()
        self.ftp.get_channel().settimeout(_SECONDS)


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
