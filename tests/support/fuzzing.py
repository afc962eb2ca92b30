"""Read damaged files, many of them: nothing but a picture or one `FileError` may come of it.

Run as ``python tests/fuzzing.py --seed 2 --count 1000000 --keep FOLDER`` for longer than the tests do. Files
are read in processes of their own with little memory, so that what crashes, hangs or swells is found and not
suffered; each file follows from the seed, its format and its number.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import queue
import resource
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # also as a script of its own

from support.mutations import mutated, numbers
from support.specimens import NAMES, files

PIXELS = 2_000_000  # the most that a file may have here
FRAMES = 500  # each of which takes its time
MEMORY = 1 << 30  # beside what the process has when it begins
PATIENCE = 5.0  # seconds for one file
COMMAND = [__file__, "--worker"]


@dataclass
class Find:
    """A file that did what none may do."""

    name: str
    number: int
    kind: str
    told: str


@dataclass
class Report:
    """What a run of many files found."""

    seed: int
    finds: list[Find] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str, int] = (0.0, "", 0)
    peak: int = 0

    def __str__(self) -> str:
        total = sum(self.outcomes.values())
        lines = [
            f"seed {self.seed}: {total} files: {dict(self.outcomes)}, slowest {self.slowest[0]:.2f} s "
            f"({self.slowest[1]} {self.slowest[2]}), {self.peak >> 20} MiB at most"
        ]
        lines += [f"{f.name} {f.number}: {f.kind}: {f.told}" for f in self.finds]
        return "\n".join(lines)


# One process that reads


def outcome(data: bytes) -> str:
    """What becomes of one file: ``picture`` or ``refused``; raises whatever else is raised."""
    from dpid_cli.convert.recipe import Recipe
    from dpid_cli.downscaling.sizes import SizeRequest
    from dpid_cli.errors import DpidWarning, FileError
    from dpid_cli.pictures import FORMATS, write

    truncated = "accept" if len(data) % 3 == 0 else "error"
    recipe = Recipe(
        SizeRequest("longest", 1), "box", threads=1, max_pixels=PIXELS, max_frames=FRAMES, truncated=truncated
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DpidWarning)
        try:
            sequence = recipe.sequence(io.BytesIO(data), "file")
            for picture in sequence.pictures:
                width, height = picture.size
                assert 0 < width * height <= PIXELS and picture.mode and picture.format in FORMATS
                result = recipe.apply(picture, recipe.size_of(picture.size, "file"), "file")
            for name in {picture.format, "png", "tiff"} & {n for n, f in FORMATS.items() if f.modes}:
                try:
                    write(result, io.BytesIO(), FORMATS[name], "file")
                except FileError as error:
                    check_line(str(error))
        except FileError as error:
            check_line(str(error))
            assert "not enough memory" not in str(error), str(error)
            return "refused"
    return "picture"


def check_line(line: str) -> None:
    """An error is ``what: what is wrong: what to do``."""
    assert "\n" not in line and line.startswith("file: ") and len(line.split(": ")) >= 3, line


def work(seed: int, wanted: list[tuple[str, int]]) -> None:
    """Read file after file, and say of each what became of it, one JSON array a line."""
    whole = {name: files(name) for name in NAMES}
    for name, found in whole.items():  # whatever is imported or compiled once
        for data in found:
            try:
                outcome(data)
            except Exception as error:
                print(json.dumps([name, -1, "error", repr(error), 0, 0]), flush=True)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.RLIM_INFINITY))
    for name, number in wanted:
        data = mutated(name, number, seed, whole)
        print(json.dumps([name, number]), flush=True)
        start, printed = time.perf_counter(), os.lseek(2, 0, os.SEEK_CUR)
        try:
            kind, told = outcome(data), ""
        except Exception as error:
            memory = isinstance(error, MemoryError) or "not enough memory" in str(error)
            kind, told = "memory" if memory else "error", f"{type(error).__name__}: {error}"[:300]
        if os.lseek(2, 0, os.SEEK_CUR) > printed and kind in ("picture", "refused"):
            kind, told = "printed", os.pread(2, 200, printed).decode(errors="replace")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps([name, number, kind, told, time.perf_counter() - start, peak]), flush=True)


# The process that watches


def watch(seed: int, wanted: list[tuple[str, int]], report: Report, lock: threading.Lock) -> None:
    """Have files read, by one process after the other if they end."""
    while wanted:
        command = [sys.executable, *COMMAND, "--seed", str(seed)]
        with tempfile.TemporaryFile("w+") as asked, tempfile.TemporaryFile() as errors:
            json.dump(wanted, asked)
            asked.seek(0)
            with subprocess.Popen(
                command, stdin=asked, stdout=subprocess.PIPE, stderr=errors, text=True
            ) as worker:
                told: queue.Queue[str | None] = queue.Queue()
                listener = threading.Thread(target=_listen, args=(worker, told))
                listener.start()
                done, hung = _follow(worker, told, report, lock)
                listener.join()
            errors.seek(0)
            said = errors.read()[-300:].decode(errors="replace").replace("\n", " ")
        if done >= len(wanted):
            return
        name, number = wanted[max(done, 0)]
        kind = "hang" if hung else "crash"
        with lock:
            report.finds.append(Find(name, number, kind, f"exit code {worker.returncode} {said}"))
            report.outcomes[kind] += 1
        if done < 0:
            return
        wanted = wanted[done + 1 :]


def _listen(worker: subprocess.Popen[str], told: queue.Queue[str | None]) -> None:
    for line in worker.stdout:
        told.put(line)
    told.put(None)


def _follow(
    worker: subprocess.Popen[str], told: queue.Queue[str | None], report: Report, lock: threading.Lock
) -> tuple[int, bool]:
    """How many files are done when the process ends, -1 if it never began, and whether it was killed."""
    done, started = -1, False
    while True:
        try:
            line = told.get(timeout=PATIENCE if started else 120)
        except queue.Empty:
            worker.kill()
            return done, True
        if line is None:
            return done, False
        words = json.loads(line)
        if len(words) == 2:
            started, done = True, max(done, 0)
            continue
        name, number, kind, what, seconds, peak = words
        done += number >= 0
        with lock:
            report.outcomes[kind] += 1
            report.peak = max(report.peak, peak)
            report.slowest = max(report.slowest, (seconds, name, number))
            if kind not in ("picture", "refused"):
                report.finds.append(Find(name, number, kind, what))


def run(
    seed: int, count: int, names: list[str], keep: Path | None, first: int = 0, workers: int = 2
) -> Report:
    """Read `count` files, in turn of each format, and keep those that were found to do wrong."""
    wanted = [(name, first + number) for name, number in numbers(count, names)]
    report, lock = Report(seed), threading.Lock()
    watchers = [
        threading.Thread(target=watch, args=(seed, wanted[k::workers], report, lock)) for k in range(workers)
    ]
    for watcher in watchers:
        watcher.start()
    for watcher in watchers:
        watcher.join()
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        for find in _each_kind_once(report.finds):
            data = mutated(find.name, find.number, seed, {name: files(name) for name in NAMES})
            (keep / f"{find.kind}-{seed}-{find.number}.{find.name}").write_bytes(data)
    return report


def _each_kind_once(finds: list[Find]) -> Iterator[Find]:
    """Few of those that look alike."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for find in finds:
        alike = (find.name, find.kind, "".join(c for c in find.told if not c.isdigit())[:60])
        seen[alike] += 1
        if find.number >= 0 and seen[alike] <= 3:
            yield find


def main() -> None:
    """Read as many files as asked for, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file of each format")
    parser.add_argument("--format", action="append", choices=NAMES, help="may be given again")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="for the files that were found")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.seed, [tuple(pair) for pair in json.load(sys.stdin)])
        return
    names = options.format or NAMES
    report = run(options.seed, options.count, names, options.keep, options.first, options.workers)
    print(report)
    sys.exit(bool(report.finds))


if __name__ == "__main__":
    main()
