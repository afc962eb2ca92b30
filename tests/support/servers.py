"""Real servers on loopback: S3 by moto, SFTP by OpenSSH, each as a process of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest


def need(*modules: str) -> None:
    """Skip the test that calls this if one of these is not installed."""
    for module in modules:
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed: python -m pip install '.[servers]'")


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@contextmanager
def server(words: list[str], port: int, **options) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens on this port, until the end of the block."""
    run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert run.poll() is None, f"{words[0]} has ended with {run.returncode}"
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield run
    finally:
        run.kill()
        run.wait()


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """The variables with which S3 is this server."""
    need("moto", "flask", "s3fs")
    port = free_port()
    code = "from moto.server import main; import sys; main(sys.argv[1:])"
    with server([sys.executable, "-W", "ignore", "-c", code, "-H", "127.0.0.1", "-p", str(port)], port):
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


_CONFIG = """
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/home/.ssh/id_ed25519.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
"""


@contextmanager
def sftp_server(folder: Path) -> Iterator[tuple[str, Path]]:
    """``sftp://user@host:port``, and a home whose keys and known hosts go with it."""
    need("paramiko", "fsspec")
    sshd = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if sshd is None or shutil.which("ssh-keygen") is None:
        pytest.skip("there is no sshd: install OpenSSH's server")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    keys = folder / "home" / ".ssh"
    keys.mkdir(parents=True)
    for path in folder / "host", keys / "id_ed25519":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    port = free_port()
    kind, key, *_ = (folder / "host.pub").read_text().split()
    (keys / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    (folder / "config").write_text(_CONFIG.format(folder=folder))
    with server([sshd, "-D", "-f", str(folder / "config"), "-p", str(port)], port):
        yield f"sftp://{getpass.getuser()}@127.0.0.1:{port}", folder / "home"
