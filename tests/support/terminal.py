"""The command on a terminal of any width: what it writes, and what people see."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass

import pyte

ROWS = 24
# Before the command runs: every image takes one second, by all clocks of the progress.
STEADY = """
import sys
from types import SimpleNamespace
import tqdm.std
from dpid_cli.cli import main, progress
now, add, update = [0.0], progress.Progress.add, progress.Bar.update
def each(self, *words, **options):
    now[0] += 1
    return add(self, *words, **options)
progress.Progress.add = each
tqdm.std.time = lambda: now[0]
progress.time = SimpleNamespace(monotonic=lambda: now[0])
sys.argv[0] = "dpid"
"""
RUN = "main()\n"


@dataclass
class Session:
    """What a command showed: the screen after each return of the cursor, all bytes, and its exit code."""

    screens: list[str]
    written: bytes
    code: int


def session(*words: str, columns: int, before: str = "", term: str = "xterm-256color", **own: str) -> Session:
    """Run the command with all its streams on a terminal of that many columns.

    `before` is code that runs in the process of the command, and `own` are variables of its environment.
    """
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    environment = os.environ | {"TERM": term, **own}
    for name in {"COLUMNS", "LINES", "NO_COLOR"} - own.keys():
        environment.pop(name, None)
    command = [sys.executable, "-c", STEADY + before + RUN, *words]
    running = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    written = b"".join(iter(lambda: _read(master), b""))
    os.close(master)
    return Session(_screens(written, columns), written, running.wait(timeout=60))


def _read(master: int) -> bytes:
    try:
        return os.read(master, 4096)
    except OSError:  # the command has ended
        return b""


def _screens(written: bytes, columns: int) -> list[str]:
    """Every screen that differs from the one before; trailing spaces left out."""
    screen = pyte.Screen(columns, ROWS)
    stream, screens = pyte.ByteStream(screen), []
    for part in re.split(rb"(?=\r[^\r\n])", written):
        stream.feed(part)
        shown = "\n".join(line.rstrip() for line in screen.display).rstrip("\n")
        if shown and screens[-1:] != [shown]:
            screens.append(shown)
    return screens
