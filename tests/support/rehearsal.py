"""What failures may leave behind: whole files in the output folder, and everything else as it was."""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from support import command
from support.folders import make

COUNT = 24
WORDS = ("-r", "-s", "2", "-m", "box", "-j", "2", "-q")  # no lines of progress
PATIENCE = 900  # seconds, on busy machines
process = partial(command.process, timeout=PATIENCE)
ENGINES = ("--threads", "--processes")


def photos(folder: Path, count: int = COUNT, size: tuple[int, int] = (64, 48)) -> dict[str, bytes]:
    """Images in ``in``, some in a subfolder, and what a batch makes of them undisturbed, by path."""
    for k in range(count):
        make(folder / "in" / ("sub" if k % 3 else ".") / f"{k}.png", size)
    done = process("batch", "in", "undisturbed", *WORDS, "--threads", cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    (folder / "undisturbed").rename(folder.parent / f"{folder.name}-undisturbed")
    return contents(folder.parent / f"{folder.name}-undisturbed")


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones too; empty if it does not exist."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def surroundings(folder: Path, *inside: str) -> dict[str, object]:
    """Content, type, number and time of everything in a folder, except below the names `inside`."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] not in inside:
            status = path.lstat()
            content = path.read_bytes() if path.is_file() else None
            changed = None if path.is_dir() else status.st_mtime_ns
            found[str(name)] = (status.st_mode, status.st_ino, changed, content)
    return found


def check_lines(text: bytes) -> None:
    """Every line tells what, what is wrong and what to do."""
    for line in text.decode().splitlines():
        assert len(line.split(": ")) >= 3, line
        assert "internal error" not in line and "Traceback" not in line, line


def check_report(path: Path, inputs: int) -> dict[str, dict]:
    """The report has one whole line for each input."""
    told = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert len({line["input"] for line in told}) == len(told) == inputs
    return {line["input"]: line for line in told}


@contextmanager
def meanwhile(action: Callable[[random.Random], object]) -> Iterator[None]:
    """Do something again and again, with short pauses, until the block ends."""
    stop, chance, errors = threading.Event(), random.Random(5), []

    def act() -> None:
        try:
            while not stop.is_set():
                action(chance)
                time.sleep(chance.uniform(0, 0.004))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not errors, errors


def children(number: int) -> list[int]:
    """The processes that a process has started, and those that these have started."""
    direct: list[int] = []
    for task in Path(f"/proc/{number}/task").glob("*/children"):
        try:
            direct += map(int, task.read_text().split())
        except OSError:
            continue
    return direct + [inner for child in direct for inner in children(child)]


def command_of(number: int) -> bytes:
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return b""


def batch(folder: Path, *words: str, **options) -> subprocess.Popen[bytes]:
    """A batch of the photos that has begun."""
    return subprocess.Popen(
        [command.DPID, "batch", "in", *words, *WORDS],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        **options,
    )
