"""Merge the votes of preference tests, which pages save as CSV and JSON, and count what was preferred."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dpid_cli.compare.cells import text_of
from dpid_cli.errors import FileError
from dpid_cli.files.streams import called, opened

CHOICES = ("left", "right", "none")
_FORMAT = "dpid votes"  # of JSON files
_WORDS = ("session", "participant", "question", "image", "place", "left", "right", "choice")
_NEEDED = ("session", "number", "question", "image", "left", "right", "choice")
_Z = 1.959964  # of a confidence of 95 %
_SHARE = ("share", "95 % interval")
_MOST_BYTES = 50_000_000


@dataclass(frozen=True)
class Vote:
    """One answer: which of two variants was preferred, or none."""

    session: str  # of one person who took one test
    number: int  # in the session, from 1
    participant: str
    question: str
    image: str
    place: str
    left: str
    right: str
    choice: str  # left, right or none

    @property
    def pair(self) -> tuple[str, str]:
        """Both variants, whatever their sides."""
        return (self.left, self.right) if self.left <= self.right else (self.right, self.left)


@dataclass(frozen=True)
class Tally:
    """How often a variant won; `share` counts ties half, and lies in (low, high) with 95 % confidence."""

    variant: str
    wins: int
    ties: int
    pairs: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Votes:
    """The votes of several files."""

    votes: tuple[Vote, ...]
    repeated: int  # votes that were in more than one file, which count once

    @property
    def question(self) -> str:
        """What was asked."""
        return self.votes[0].question

    def counts(self) -> dict[str, int]:
        """How many votes, sessions and images there are."""
        sessions, images = ({getattr(vote, name) for vote in self.votes} for name in ("session", "image"))
        return {"votes": len(self.votes), "sessions": len(sessions), "images": len(images)}

    def variants(self) -> list[Tally]:
        """The tallies of all variants, the most preferred first."""
        return _tallies(self.votes)

    def pairs(self) -> list[list[Tally]]:
        """For every pair of variants that met, the tallies of both."""
        met = dict.fromkeys(vote.pair for vote in self.votes)
        return [_tallies([vote for vote in self.votes if vote.pair == pair]) for pair in met]


def interval(successes: float, count: int) -> tuple[float, float]:
    """Wilson's interval of a share with 95 % confidence.

    >>> [round(end, 4) for end in interval(8, 10)]
    [0.4902, 0.9433]
    """
    share, spread = successes / count, _Z**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / count + spread / count / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _tallies(votes: Iterable[Vote]) -> list[Tally]:
    counted: dict[str, list[int]] = {}
    for vote in votes:
        for side, variant in (("left", vote.left), ("right", vote.right)):
            wins, ties, pairs = counted.get(variant, (0, 0, 0))
            counted[variant] = [wins + (vote.choice == side), ties + (vote.choice == "none"), pairs + 1]
    tallies = []
    for variant, (wins, ties, pairs) in counted.items():
        successes = wins + ties / 2
        tallies.append(Tally(variant, wins, ties, pairs, successes / pairs, *interval(successes, pairs)))
    return sorted(tallies, key=lambda tally: -tally.share)


def merged(paths: Sequence[str]) -> Votes:
    """The votes in files that pages saved; raise a `FileError` for others, and for votes that contradict."""
    known: dict[tuple[str, int], tuple[Vote, str]] = {}
    repeated = 0
    question = ("", "")
    for path in paths:
        name = called(path)
        for vote in _read(path, name):
            question = question if question[0] else (vote.question, name)
            if vote.question != question[0]:
                both = f"asks for {vote.question}, {question[1]} for {question[0]}"
                raise FileError(f"{name}: {both}: merge them separately")
            before, where = known.setdefault((vote.session, vote.number), (vote, name))
            if before != vote:
                both = f"vote {vote.number} differs from the same vote in {where}"
                raise FileError(f"{name}: {both}: give only one of them")
            repeated += where != name
    return Votes(tuple(vote for vote, _ in known.values()), repeated)


def _read(path: str, name: str) -> list[Vote]:
    with opened(path, _MOST_BYTES) as stream:
        content = stream.read(_MOST_BYTES)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _foreign(name) from None
    rows = _json_rows(text, name) if text.lstrip().startswith(("{", "[")) else _csv_rows(text, name)
    votes = [_vote(row, f"{name}: {where}") for where, row in rows]
    if not votes:
        raise FileError(f"{name}: contains no votes: give a file of a test with answers")
    return votes


def _foreign(name: str) -> FileError:
    return FileError(f"{name}: contains no votes: give CSV or JSON files of a page's preference test")


def _json_rows(text: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        test = json.loads(text)
    except (ValueError, RecursionError):
        raise FileError(f"{name}: is damaged: save it again, or use the CSV file of the test") from None
    if not isinstance(test, dict) or test.get("format") != _FORMAT or not isinstance(test.get("votes"), list):
        raise _foreign(name)
    for number, vote in enumerate(test["votes"], 1):
        if not isinstance(vote, dict):
            raise FileError(f"{name}: vote {number} is damaged: save the file again")
        yield f"vote {number}", {**test, **vote}


def _csv_rows(text: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        if not set(_NEEDED) <= set(reader.fieldnames or ()):
            raise _foreign(name)
        for row in reader:
            if None in row or None in row.values():
                raise FileError(f"{name}: line {reader.line_num} has another number of cells: save it again")
            yield f"line {reader.line_num}", {name: text_of(cell) for name, cell in row.items()}
    except csv.Error:
        raise FileError(f"{name}: is damaged: save it again, or use the JSON file of the test") from None


def _vote(row: Mapping[str, Any], where: str) -> Vote:
    """A vote from the fields of a row; raise a `FileError` if one has no such value."""
    words = {name: row.get(name, "") for name in _WORDS}
    for name, word in words.items():
        if not isinstance(word, str) or (name in _NEEDED and not word):
            raise FileError(f"{where}: {name} is missing: save the file again")
    if words["choice"] not in CHOICES:
        raise FileError(f"{where}: choice must be left, right or none (got {words['choice']!r})")
    if words["left"] == words["right"]:
        raise FileError(f"{where}: left and right are both {words['left']}: save the file again")
    try:
        number = int(str(row.get("number")))
    except ValueError:
        raise FileError(f"{where}: number must be a whole number (got {row.get('number')!r})") from None
    return Vote(number=number, **words)


def summary_of(votes: Votes) -> str:
    """How many votes there are, and what they are about, in one line."""
    counts = votes.counts().items()
    numbers = (f"{count} {name if count != 1 else name.removesuffix('s')}" for name, count in counts)
    return f"{votes.question}: {', '.join(numbers)}"


def lines_of(votes: Votes) -> list[str]:
    """The tallies for a terminal: of all variants, and of each pair if there is more than one."""
    variants, pairs = votes.variants(), votes.pairs()
    rows: list[tuple[str, ...]] = [("variant", "wins", "ties", "pairs", *_SHARE)]
    rows += [(one.variant, *map(str, (one.wins, one.ties, one.pairs)), *_share(one)) for one in variants]
    lines = _table(rows)
    if len(pairs) > 1:
        rows = [("pair", "wins", "ties", "losses", *_SHARE)]
        for one, other in pairs:
            counts = map(str, (one.wins, one.ties, other.wins))
            rows.append((f"{one.variant} against {other.variant}", *counts, *_share(one)))
        lines += ["", *_table(rows)]
    return lines


def _share(tally: Tally) -> tuple[str, str]:
    share, low, high = (f"{100 * value:.1f} %" for value in (tally.share, tally.low, tally.high))
    return share, f"{low} to {high}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def as_json(votes: Votes) -> dict[str, Any]:
    """The tallies as `--json` prints them."""
    return {
        "question": votes.question,
        **votes.counts(),
        "variants": [asdict(tally) for tally in votes.variants()],
        "pairs": [[asdict(tally) for tally in tallies] for tallies in votes.pairs()],
    }
