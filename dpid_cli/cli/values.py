"""The values that options read, and the errors of those that are not allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import click

from dpid_cli.downscaling.choices import either


def did_you_mean(word: str, words: Sequence[str]) -> str:
    """A question after the nearest of `words`; empty if none is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, words, n=2)
    return f"did you mean {either(near)}?" if near else ""


def wrong(value: object, allowed: str, hint: str = "") -> click.BadParameter:
    """The error of an option whose value is not allowed."""
    from shlex import quote

    return click.BadParameter(f"must be {allowed} (got {quote(str(value))})" + (f": {hint}" if hint else ""))


class Choice(click.Choice):  # type: ignore[type-arg]  # generic from Click 8.2 on
    """One of several words; an error lists them all and suggests the nearest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self.choices:
            return value
        raise wrong(value, either(self.choices), did_you_mean(value, self.choices))


def number(low: float = -math.inf, high: float = math.inf, *, whole: bool = True) -> Callable[[str], float]:
    """Read a number between two bounds, both allowed."""
    allowed = "a whole number" if whole else "a number"
    if high < math.inf:
        allowed += f" from {low} to {high}"
    elif low > -math.inf:
        allowed += f", {low} or more"

    def read(text: str) -> float:
        try:
            value = int(text) if whole else float(text)
        except ValueError:
            raise wrong(text, allowed) from None
        if value < low or value > high:
            raise wrong(text, allowed)
        return value

    return read


def width_and_height(text: str, allowed: str = "a size like 640x480") -> tuple[int, int]:
    """Read ``640x480`` as (640, 480)."""
    match = re.fullmatch(r"(\d{1,9})[xX](\d{1,9})", text)
    if match is None:
        raise wrong(text, allowed)
    return int(match[1]), int(match[2])


def least_size(text: str) -> tuple[int, int]:
    """Read ``256`` or ``640x480`` as the least width and height."""
    if re.fullmatch(r"\d{1,9}", text):
        return int(text), int(text)
    return width_and_height(text, "a size like 256 or 640x480")


def pixel_count(text: str) -> int:
    """Read ``512M`` as 512000000."""
    match = re.fullmatch(r"(\d{1,15})([kMG]?)", text)
    if match is None or not int(match[1]):
        raise wrong(text, "a number of pixels like 512000000 or 512M")
    return int(match[1]) * {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[match[2]]
