"""The progress of a batch: a bar on a terminal, a line every 10 s elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import click

from dpid_cli.cli.console import best_effort, on_terminal, say, show

if TYPE_CHECKING:
    from dpid_cli.batching.items import Result

BAR_SECONDS, LINE_SECONDS = 0.1, 10.0


class Progress:
    """Count results, of which `count` are to come, and show progress on standard error unless `quiet`."""

    def __init__(self, count: int, quiet: bool) -> None:
        self.count = count
        self.statuses: Counter[str] = Counter()
        self.pixels = 0
        self.copied = 0  # of those done: smaller than requested, and written in their own size
        self._start = self._shown = time.monotonic()
        self._behind = 0
        self._bar: Any = None
        self._stack = ExitStack()
        self._quiet = quiet

    def __enter__(self) -> Self:
        if not self._quiet and on_terminal():
            bar = click.progressbar(
                length=self.count, file=sys.stderr, show_pos=True, item_show_func=lambda text: text, width=24
            )
            with best_effort():
                self._bar = self._stack.enter_context(bar)
        return self

    def __exit__(self, *_: object) -> None:
        with best_effort():
            self._move(self._behind)
            self._stack.close()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @property
    def megapixels_a_second(self) -> float:
        """Megapixels of finished inputs per second."""
        return self.pixels / 1e6 / max(self.seconds, 1e-6)

    def add(self, result: Result) -> None:
        """Count a result."""
        self.statuses[result.status] += 1
        self.copied += result.kept_size
        if result.status == "done" and result.input_size is not None:
            self.pixels += result.input_size[0] * result.input_size[1]
        self._behind += 1
        now = time.monotonic()
        if self._bar is not None and now - self._shown >= BAR_SECONDS:
            self._move(self._behind)
            self._shown, self._behind = now, 0
        elif self._bar is None and not self._quiet and now - self._shown >= LINE_SECONDS:
            self._shown = now
            say(f"{self.statuses.total()} of {self.count} images, {self._rate()}, {self._left()} left")

    def say(self, message: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            show("\r\x1b[K")
        say(message)
        self._move(0)

    def _move(self, steps: int) -> None:
        if self._bar is not None:
            with best_effort():
                self._bar.update(steps, self._rate())

    def _rate(self) -> str:
        failed = self.statuses["failed"]
        return f"{self.megapixels_a_second:.1f} MP/s" + (f", {failed} failed" if failed else "")

    def _left(self) -> str:
        """Estimated time left, as ``h:mm:ss``."""
        done = max(1, self.statuses.total())
        seconds = round(self.seconds / done * (self.count - done))
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
