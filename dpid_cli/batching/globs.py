"""Patterns for paths: ``*`` and ``?`` within a name, ``[...]``, and ``**`` for any folders."""

from __future__ import annotations

import re
from functools import lru_cache

from dpid_cli.errors import ArgumentError

MAGIC = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"(?P<run>\*+)|(?P<one>\?)|\[(?P<set>!?\]?[^\]]*)\]|(?P<char>.)", re.DOTALL)


@lru_cache(1024)
def compiled(pattern: str, ignore_case: bool = False) -> re.Pattern[str]:
    """A regular expression that matches whole paths with ``/`` between their parts.

    Raises
    ------
    ArgumentError
        If the pattern is invalid, such as ``[z-a]``.
    """
    regex = "/".join(".*" if part == "**" else _TOKEN.sub(_translated, part) for part in pattern.split("/"))
    regex = re.sub(r"(^|/)\.\*/", r"\1(?:.*/)?", regex)
    try:
        return re.compile(f"(?s:{regex})\\Z", re.IGNORECASE if ignore_case else 0)
    except re.error as error:
        raise ArgumentError(f"{pattern}: not a valid pattern: {error}: write [[] for a bracket") from None


def _translated(token: re.Match[str]) -> str:
    if token["run"]:
        return "[^/]*"
    if token["one"]:
        return "[^/]"
    if token["set"] is None:
        return re.escape(token["char"])
    inside = re.sub(r"([\\\[&~|^])", r"\\\1", token["set"])
    return f"(?!/)[{'^' + inside[1:] if inside.startswith('!') else inside}]"
