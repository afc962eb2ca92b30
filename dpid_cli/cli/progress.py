"""Progress of commands: a bar on the last line of a terminal, a line every 10 s elsewhere.

tqdm draws the bar: it writes no escapes, so that it looks the same on every terminal.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from dpid_cli.cli.console import best_effort, clear_with, columns, on_terminal, say
from dpid_cli.downscaling.sizes import Size

LINE_SECONDS = 10.0
_BAR_SECONDS, _SMOOTHING = 0.1, 0.05
_SHORTEST_BAR, _WIDEST = 6, 100
_FIRST_ESTIMATE = 2  # steps; one alone says little, as it contains the start


class Bar:
    """A bar on standard error, if that is a terminal, above which `say` prints; else nothing.

    Parameters
    ----------
    total : int
        Number of steps.
    shown : bool
        Whether to draw it.
    timed : bool
        Whether to estimate the time left.
    """

    def __init__(self, total: int, shown: bool = True, *, timed: bool = True) -> None:
        self.total = total
        self._shown = shown and on_terminal()
        self._timed = timed
        self._line: Any = None

    def __enter__(self) -> Self:
        if self._shown:
            with best_effort():
                self._line = _line(self.total, self._timed)
                clear_with(self._cleared)
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            clear_with(None)
            with best_effort():
                self._line.close()

    @property
    def drawn(self) -> bool:
        """Whether there is a bar."""
        return self._line is not None

    def update(self, steps: int, *notes: str) -> None:
        """Count steps; show the notes behind the count, the first at least where there is little room."""
        if self._line is not None:
            with best_effort():
                self._line.notes = notes
                self._line.update(steps)

    @contextmanager
    def _cleared(self) -> Iterator[None]:
        """No bar until the block ends, so that a line can be printed in its place."""
        with self._line.get_lock():
            self._line.clear(nolock=True)
            yield
            self._line.refresh(nolock=True)


def _line(total: int, timed: bool) -> Any:
    from tqdm import tqdm

    class Line(tqdm):  # type: ignore[misc]  # which has no types
        monitor_interval = 0  # needs no thread
        notes: tuple[str, ...] = ()

        @property
        def format_dict(self) -> dict[str, Any]:
            facts: dict[str, Any] = super().format_dict
            left = time_left(facts) if timed else ""
            width = min(_WIDEST, columns() - 1)  # as terminals differ in what follows a full line
            form = layout(width, self.n, total, [*self.notes[:1], left, *self.notes[1:]])
            return facts | {"ncols": width, "bar_format": form}

    Line.set_lock(threading.RLock())  # not one for processes, which would start another
    return Line(total=total, file=sys.stderr, leave=False, mininterval=_BAR_SECONDS, miniters=1,
                smoothing=_SMOOTHING)  # fmt: skip


def layout(width: int, count: int, total: int, notes: Sequence[str]) -> str:
    """A bar of this width in the notation of tqdm: the notes that there is room for, from the first on.

    >>> layout(40, 3, 15, ["1 failed", "0:00:12 left", "23.9 MP/s"])
    ' 20% |{bar}|  3/15, 1 failed'
    >>> layout(19, 1000, 2000000, [])
    '   1000/2000000'
    """
    start = f"{100 * count // max(total, 1):3}% "
    text = f"{count:{len(str(total))}}/{total}"
    room = width - len(start) - len("|| ") - _SHORTEST_BAR
    for note in filter(None, notes):
        if len(text) + len(", ") + len(note) > room:
            break
        text += f", {note}"
    if len(text) <= room:
        return f"{start}|{{bar}}| {text}"
    return f"{start}{text}" if len(start + text) <= width else text


def time_left(facts: Mapping[str, Any]) -> str:
    """The estimated time left, from two steps on."""
    count, total = facts["n"], facts["total"]
    if not _FIRST_ESTIMATE <= count < total:
        return ""
    return _clock((total - count) / (facts["rate"] or count / max(facts["elapsed"], 1e-6)))


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02} left"


class Progress:
    """Count images, of which `total` are to come, and show progress on standard error unless `quiet`."""

    def __init__(self, total: int, quiet: bool) -> None:
        self.total = total
        self.statuses: Counter[str] = Counter()
        self.copied = 0  # of those done: smaller than requested, and written in their own size
        self.pixels = 0
        self._bar = Bar(total, not quiet)
        self._lines = not (quiet or on_terminal())
        self._start = self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.__exit__()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @property
    def megapixels_a_second(self) -> float:
        """Megapixels of finished inputs per second."""
        return self.pixels / 1e6 / max(self.seconds, 1e-6)

    def add(self, status: str, size: Size | None = None, *, copied: bool = False) -> None:
        """Count an image: "done", "skipped" or "failed", its size if it was read, and if it kept that."""
        self.statuses[status] += 1
        self.copied += copied
        if status == "done" and size is not None:
            self.pixels += size[0] * size[1]
        failed, rate = self.statuses["failed"], f"{self.megapixels_a_second:.1f} MP/s"
        failures = f"{failed} failed" if failed else ""
        self._bar.update(1, failures, rate)
        now = time.monotonic()
        if self._lines and now - self._told >= LINE_SECONDS:
            self._told = now
            count = self.statuses.total()
            facts = {"n": count, "total": self.total, "rate": None, "elapsed": self.seconds}
            numbers = (f"{count} of {self.total} images", rate, failures, time_left(facts))
            say(", ".join(filter(None, numbers)))

    def summary(self, verb: str = "done", *statuses: str) -> list[str]:
        """The counts of a run, then its time and its speed."""
        counts = self.statuses
        parts = [f"{verb} {counts['done']}"]
        if self.copied:
            parts[0] += f" ({self.copied} of them smaller than requested, so not downscaled)"
        return parts + [f"{status} {counts[status]}" for status in statuses]

    def speed(self) -> str:
        """The time of the run, and images and megapixels per second."""
        rate = f"{self.statuses.total() / max(self.seconds, 1e-6):.1f} files/s"
        return f"in {self.seconds:.1f} s ({rate}, {self.megapixels_a_second:.1f} MP/s)"


class Existing:
    """Inputs whose outputs exist and must not be replaced, to be told in one line."""

    def __init__(self, advice: str) -> None:
        self._advice = advice
        self._errors: list[str] = []

    def add(self, error: str) -> None:
        """Count an input, which failed with this error."""
        self._errors.append(error)

    def say(self) -> None:
        """Print the only error, or how many there are."""
        if len(self._errors) == 1:
            say(self._errors[0])
        elif self._errors:
            first, more = self._errors[0].partition(": exists already")[0], len(self._errors) - 1
            others = "another input" if more == 1 else f"{more} other inputs"
            say(f"{first} and the outputs of {others}: exist already: {self._advice}")
