"""The options of encoders, as the command line and `encoding` of the library take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dpid_cli.errors import ArgumentError, either

# What effort is called on older command lines.
_ALIASES = {"compress_level": "effort"}
_MOST_BYTES = 2**62


class EncoderOption(NamedTuple):
    """An option of encoders: one of `words`, a whole number, or a flag if both are missing.

    ``{}`` in `help` stands for formats. A `promise` says something about every output: formats without the
    option refuse it instead of leaving it out.
    """

    name: str
    help: str
    lowest: int = 0
    highest: int = 0
    words: tuple[str, ...] = ()
    promise: bool = False

    @property
    def label(self) -> str:
        """Its name on the command line."""
        return self.name.replace("_", "-")

    @property
    def flag(self) -> bool:
        """Whether it is on or off."""
        return not self.highest and not self.words

    def check(self, value: object) -> None:
        """Raise an `ArgumentError` for a value that is not allowed."""
        if self.words:
            if value not in self.words:
                raise ArgumentError(f"{self.label} must be {either(self.words)} (got {value!r})")
        elif self.flag:
            if not isinstance(value, bool):
                raise ArgumentError(f"{self.label} must be True or False (got {value!r})")
        elif isinstance(value, bool) or not isinstance(value, int) or not self._spans(value):
            bounds = f"from {self.lowest} to {self.highest}"
            if self.highest >= _MOST_BYTES:
                bounds = f"{self.lowest} or more"
            raise ArgumentError(f"{self.label} must be a whole number {bounds} (got {value!r})")

    def _spans(self, value: int) -> bool:
        return self.lowest <= value <= self.highest


QUALITY = EncoderOption("quality", "Set the quality of {}, from 1 (small) to 100 (best).", 1, 100)
TARGET_SIZE = EncoderOption(
    "target_size",
    "Find the best quality for files of at most SIZE, such as 200kB, 1.5MB or 64KiB ({}).",
    1,
    _MOST_BYTES,
    promise=True,
)
LOSSLESS = EncoderOption(
    "lossless", "Write {} without loss. Formats that never lose anything accept it.", promise=True
)
SUBSAMPLING = EncoderOption(
    "subsampling",
    "Store colours in full (4:4:4), half (4:2:2) or quarter (4:2:0) resolution ({}).",
    words=("4:4:4", "4:2:2", "4:2:0"),
)
PROGRESSIVE = EncoderOption("progressive", "Show a coarse image while {} load (progressive, interlaced).")
EFFORT = EncoderOption("effort", "Compress {} fast (0) to small (9).", 0, 9)
COLORS = EncoderOption("colors", "Write {} with a palette of at most N colours.", 2, 256, promise=True)
# Options of which only one can be met.
_EXCLUSIVE = (
    ("target_size", "quality"),
    ("lossless", "quality"),
    ("lossless", "target_size"),
    ("lossless", "colors"),
)


def normalized(encoding: Mapping[str, Any]) -> dict[str, Any]:
    """The options by their present names, without what says nothing.

    Raises an `ArgumentError` for two that exclude each other.
    """
    options = {_ALIASES.get(name, name): value for name, value in encoding.items()}
    options = {name: value for name, value in options.items() if value is not None}
    for one, other in _EXCLUSIVE:
        if options.get(one) and other in options:
            label = other.replace("_", "-")
            raise ArgumentError(f"{label}: contradicts {one.replace('_', '-')}: leave one of them out")
    if options.get("lossless") and options.get("subsampling", "4:4:4") != "4:4:4":
        raise ArgumentError("subsampling: contradicts lossless: leave one of them out")
    return options
