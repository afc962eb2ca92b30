"""The section about first commands: an empty cache, the kernels that come with the package, and compiling."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from .commands import DPID, run_once
from .library import enlarged
from .markdown import Section, medians, number, spread, table
from .measure import Plan, Results, Samples, alternate

SHIPPED, AGAIN, COMPILED = "first command", "second command", "first command, compiled"
WARMUP, INTERRUPTED = "warmup", "Ctrl-C"
SIZE = 512, 384
# A variable of Numba asks for other code than that which comes with the package. This value is the default.
COMPILE = {"NUMBA_OPT": "3"}
_INTERVAL = 0.05  # seconds between looks at memory


class Workshop:
    """A folder with small inputs of several kinds, and the commands that read them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        colours = enlarged(SIZE)
        alpha = np.minimum(2 * colours[..., :1], 255)
        self.rgb = self._saved("rgb.jpg", colours)
        self.gray = self._saved("gray.png", colours[..., 1])
        self.rgba = self._saved("rgba.png", np.dstack([colours, alpha]))
        self.deep = self._saved("deep.png", colours[..., 1].astype(np.uint16) * 257)
        (folder / "in").mkdir()
        for k in range(4):
            Image.fromarray(np.roll(colours, k, 1)).save(folder / "in" / f"{k}.jpg")

    def _saved(self, name: str, pixels: np.ndarray) -> str:
        path = self.folder / name
        Image.fromarray(pixels).save(path)
        return str(path)

    def commands(self) -> dict[str, list[str]]:
        """Twelve commands that people type first."""
        inputs, outputs = str(self.folder / "in"), str(self.folder / "out")
        page, filter_ = str(self.folder / "page.html"), str(self.folder / "filter.json")
        return {
            "downscale, RGB": self._downscale(self.rgb),
            "downscale, gray": self._downscale(self.gray),
            "downscale, RGBA": self._downscale(self.rgba),
            "downscale, gray with 16 bits": self._downscale(self.deep),
            "downscale --lambda 0.7": self._downscale(self.rgb, "--lambda", "0.7"),
            "downscale --lambda 2": self._downscale(self.rgb, "--lambda", "2"),
            "downscale --linear": self._downscale(self.rgb, "--linear"),
            "downscale -m box": self._downscale(self.rgb, "-m", "box"),
            "downscale -m dpp": self._downscale(self.rgb, "-m", "dpp"),
            "batch, 4 images": [DPID, "batch", inputs, outputs, "-s", "4", "--overwrite"],
            "compare, 5 variants": [
                *(DPID, "compare", self.rgb, "-s", "4", "--sweep", "lambda=0:2:0.5"),
                *("-o", page, "--overwrite"),
            ],
            "learn, 2 crops, 3 iterations": [
                *(DPID, "learn", self.rgb, f"{inputs}/1.jpg", "-s", "4", "--patches", "2"),
                *("--iterations", "3", "-o", filter_, "--overwrite"),
            ],
        }

    def _downscale(self, path: str, *more: str) -> list[str]:
        target = str(self.folder / "out.png")
        return [DPID, "downscale", path, "-s", "4", *more, "-o", target, "--overwrite"]


class Run(NamedTuple):
    """Seconds of the first run of a command with an empty cache, and of the second."""

    first: float
    second: float


@contextmanager
def empty_cache(**variables: str) -> Iterator[dict[str, str]]:
    """An environment with an empty cache of its own, and of Numba's variables only these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    with tempfile.TemporaryDirectory() as folder:
        yield {**kept, **variables, "DPID_CACHE_DIR": folder}


def run_twice(command: list[str]) -> Run:
    """Run a command twice; the first time, the cache is empty."""
    with empty_cache() as environment:
        return Run(*(run_once(command, environment)["wall"] for _ in range(2)))


def compile_and_run(command: list[str]) -> float:
    """Seconds of a command that must compile all its kernels."""
    with empty_cache(**COMPILE) as environment:
        return run_once(command, environment)["wall"]


def interrupt(command: list[str], after: float) -> float:
    """Seconds from Ctrl-C, so long after a command has begun to compile, to its end."""
    with empty_cache(**COMPILE) as environment:
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, env=environment, preexec_fn=_hear_ctrl_c, **silent) as process:
            locks = Path(environment["DPID_CACHE_DIR"])
            while process.poll() is None and not any(locks.rglob("*.lock")):
                time.sleep(0.005)
            time.sleep(after)
            process.send_signal(signal.SIGINT)
            start = time.perf_counter()
            process.wait()
        taken = time.perf_counter() - start
    if process.returncode != 130:
        raise RuntimeError(f"the command to interrupt ended with {process.returncode}, not 130")
    return taken


def _hear_ctrl_c() -> None:
    """Undo what shells do for commands in the background, which begin deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_watched(command: list[str]) -> tuple[float, float | None]:
    """Seconds of a command that compiles, and the most bytes that it and its processes had in memory."""
    peaks = [0.0]
    with empty_cache(**COMPILE) as environment:
        start = time.perf_counter()
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                peaks.append(tree_bytes(process.pid))
                time.sleep(_INTERVAL)
        taken = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"a command to measure failed with {process.returncode}")
    return taken, max(peaks) or None


def tree_bytes(pid: int) -> float:
    """Memory of a process and all below it, shared pages divided by their users; 0 where unknown."""
    total = 0.0
    waiting = [pid]
    while waiting:
        folder = Path("/proc") / str(waiting.pop())
        try:
            rolled = (folder / "smaps_rollup").read_text()
            for children in folder.glob("task/*/children"):
                waiting += map(int, children.read_text().split())
        except (OSError, ValueError):  # it has ended, or this is not Linux
            continue
        total += sum(int(line.split()[1]) * 1024 for line in rolled.splitlines() if line.startswith("Pss:"))
    return total


def first(plan: Plan) -> Section:
    """Twelve first commands, and Ctrl-C while kernels are being compiled."""
    with tempfile.TemporaryDirectory() as folder:
        commands = Workshop(Path(folder)).commands()
        chosen = {name: commands[name] for name in plan.choose(commands, list(commands)[:3])}
        found = alternate({name: partial(run_twice, command) for name, command in chosen.items()}, 3)
        compiling = plan.choose(chosen, list(chosen)[:1])
        compiled = {name: Samples((compile_and_run(chosen[name]),)) for name in compiling}
        slow = chosen[compiling[0]]
        ends = Samples(tuple(interrupt(slow, after) for after in plan.choose(_MOMENTS, _MOMENTS[:1])))
    shipped = {name: Samples(tuple(run.first for run in runs)) for name, runs in found.items()}
    again = {name: Samples(tuple(run.second for run in runs)) for name, runs in found.items()}
    facts = medians(SHIPPED, shipped) | medians(COMPILED, compiled)
    facts[INTERRUPTED, "seconds"] = max(ends.values)
    parts = [_TEXT, _table(shipped, again, compiled), _ENDS.format(spread(ends))]
    return Section("First commands", "\n\n".join(parts), facts)


_MOMENTS = (0.1, 0.3, 0.5, 0.7)  # seconds after the first kernel is being compiled
_TEXT = (
    f"Each command runs in a fresh process with an empty cache of its own, on inputs of {SIZE[0]}x{SIZE[1]} "
    "pixels that the system has in memory, and then once more. The first two columns use the kernels that "
    "come with the package; in the last, each command compiles its own, in one run."
)
_ENDS = "From Ctrl-C during compilation to the end of the command: {} s."


def _table(shipped: Results, again: Results, compiled: Results) -> str:
    rows = [
        [name, spread(shipped[name]), spread(again[name]), spread(compiled[name]) if name in compiled else ""]
        for name in shipped
    ]
    return table(["command", "first, s", "second, s", "first where it compiles, s"], rows)


def warmup(plan: Plan) -> Section:
    """A line about `dpid warmup`; with a quick plan, of one method, which says nothing about the target."""
    words = ["warmup", "--quiet", *(["--method", "box"] if plan.quick else [])]
    seconds, peak = run_watched([DPID, *words])
    memory = "an unknown amount" if peak is None else f"{number(peak / 1e6)} MB"
    text = f"`dpid {' '.join(words)}` compiles all kernels in {number(seconds)} s and {memory} of memory."
    facts = {(WARMUP, "seconds"): seconds} | ({} if peak is None else {(WARMUP, "MB"): peak / 1e6})
    return Section("Warm-up", text, {} if plan.quick else facts)
