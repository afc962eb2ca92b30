"""Break text into lines of a width."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

Measure = Callable[[str, float, bool], float]  # width in pixels of a text of this size, bold or not


def wrapped(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Break `text` into lines no wider than `width`, at spaces that are not next to =.

    A word that is too long is broken after = or a comma, or between letters if nothing else helps.
    """
    lines: list[str] = []
    line = ""
    for word in re.split(r"(?<![ =]) +(?![ =])", text.strip()):
        if line and measure(f"{line} {word}") <= width:
            line = f"{line} {word}"
            continue
        if line:
            lines.append(line)
        line = word
        while measure(line) > width and len(line) > 1:
            fitting = _fitting(line, width, measure)
            ends = [match.end() for match in re.finditer("[=,]", line[:fitting])]
            end = ends[-1] if ends else fitting
            lines.append(line[:end].rstrip())
            line = line[end:].lstrip()
    return [*lines, line] if line else lines


def _fitting(word: str, width: float, measure: Callable[[str], float]) -> int:
    """How many letters of a word fit, at least one."""
    return max(1, bisect_right(range(1, len(word)), width, key=lambda n: measure(word[:n])))
