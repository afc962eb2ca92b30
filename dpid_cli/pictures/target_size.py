"""The search for the quality that fills a given file size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dpid_cli.errors import FileError, warn
from dpid_cli.pictures.codecs.base import Codec

_WORST, _BEST = 1, 100  # qualities
_ENOUGH = 0.98  # of the size that was asked for
_MOST_STEPS = 14
_FINEST = 1 / 256  # of a quality


@dataclass(frozen=True)
class Attempt:
    """A file, and the format with the options that made it."""

    format: Codec
    data: bytes

    @property
    def quality(self) -> float:
        """From 1 to 100."""
        return float(self.format.options["quality"])


class Search:
    """Encodes again and again; `most` are the bytes that the file may have."""

    def __init__(self, format_: Codec, most: int, encode: Callable[[Codec], bytes]) -> None:
        self.format = format_
        self.most = most
        self._encode = encode
        self.best: Attempt | None = None  # the largest that fits
        self.least = math.inf  # bytes

    @property
    def filled(self) -> bool:
        """Whether the best file is within 2 % of the size."""
        return self.best is not None and len(self.best.data) >= _ENOUGH * self.most

    def run(self) -> Attempt | None:
        """The best file; None if even the worst quality does not fit."""
        usual = self._try(self.format.defaults["quality"])
        if not self.filled:
            fits = self._small(usual)
            other = self._try(_BEST if fits else _WORST)
            low, high = (usual, other) if fits else (other, usual)
            if self._small(low) and not self._small(high):
                self._fill(*self._narrowed(low, high))
        return self.best

    def _small(self, attempt: Attempt) -> bool:
        return len(attempt.data) <= self.most

    def _try(self, quality: float, options: Mapping[str, Any] | None = None) -> Attempt:
        whole = int(quality) if quality == int(quality) else quality
        format_ = replace(self.format, options={**self.format.options, **(options or {}), "quality": whole})
        attempt = Attempt(format_, self._encode(format_))
        self.least = min(self.least, len(attempt.data))
        if self._small(attempt) and (self.best is None or len(attempt.data) > len(self.best.data)):
            self.best = attempt
        return attempt

    def _narrowed(self, low: Attempt, high: Attempt) -> tuple[Attempt, Attempt]:
        """Two attempts near each other, of which the first fits and the second does not."""
        for step in range(_MOST_STEPS):
            if self.filled or high.quality - low.quality <= _FINEST:
                break
            # Sizes grow about like powers; every other step halves, wherever that leads.
            sizes = [math.log(len(attempt.data)) for attempt in (low, high)]
            share = 0.5 if step % 2 else (math.log(self.most * 0.99) - sizes[0]) / (sizes[1] - sizes[0])
            quality = low.quality + min(max(share, 0.05), 0.95) * (high.quality - low.quality)
            if high.quality - low.quality >= 2:
                quality = min(max(round(quality), math.floor(low.quality) + 1), math.ceil(high.quality) - 1)
            attempt = self._try(quality)
            low, high = (attempt, high) if self._small(attempt) else (low, attempt)
        return low, high

    def _fill(self, low: Attempt, high: Attempt) -> None:
        """Try sizes between those of two qualities."""
        for options in self.format.finer:
            for attempt in (high, low):
                if self.filled:
                    return
                self._try(attempt.quality, options)


def found(format_: Codec, encode: Callable[[Codec], bytes], name: str) -> Attempt:
    """The file of the best quality that is as small as ``target_size`` says.

    `encode` encodes in a format, and `name` is what errors and warnings call the file. A warning says if the
    file is more than 2 % smaller.

    Raises a `FileError` if the file is larger at any quality.
    """
    most = format_.options["target_size"]
    search = Search(format_, most, encode)
    best = search.run()
    if best is None:
        raise FileError(
            f"{name}: quality {_WORST} takes {search.least} bytes, more than the {most} of --target-size: "
            "use a larger one, a smaller image, or --metadata strip"
        )
    if not search.filled:
        why = "this is the best quality" if best.quality == _BEST else "no quality comes closer"
        warn(f"{name}: {len(best.data)} of {most} bytes: {why}")
    return best
