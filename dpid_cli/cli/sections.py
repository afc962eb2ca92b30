"""Commands whose --help lists options in sections, and the values that options read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.cli.console import show
from dpid_cli.downscaling.choices import Gravity
from dpid_cli.errors import either

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# In the order of --help; a command with few options has none of them.
SECTIONS = (
    "Inputs", "Size", "Method", "Fit", "Figure", "Colour and alpha", "Output", "Metadata", "Input limits",
    "Running",
)  # fmt: skip
_FEW = 12
_DECIMAL = r"\d{1,9}(?:\.\d{1,9})?"
_SIDE, _TIMES = r"\d{1,9}", r"[xX*,\u00d7]"
# What stands for the value of an option, and what shells complete for it.
_FILES = ("FILE", "FILE.json", "FILE.jsonl", "FILTER", "IMAGE", "LIST", "MASK", "PATH", "REPORT")
_COMPLETED = dict.fromkeys(_FILES, "file") | dict.fromkeys(("DIR", "FOLDER"), "dir")
_COLUMN = 26  # where the names of options end, in every section


def did_you_mean(word: str, words: Sequence[str]) -> str:
    """A question after the nearest of `words`; empty if none is near."""
    from difflib import SequenceMatcher, get_close_matches

    near = get_close_matches(word, words, n=2)
    likeness = [SequenceMatcher(None, other, word).ratio() for other in near]
    near = [other for other, ratio in zip(near, likeness, strict=True) if ratio > likeness[0] - 0.2]
    return f"did you mean {either(near)}?" if near else ""


def wrong(value: object, allowed: str, hint: str = "") -> click.BadParameter:
    """The error of an option whose value is not allowed."""
    from shlex import quote

    return click.BadParameter(f"must be {allowed} (got {quote(str(value))})" + (f": {hint}" if hint else ""))


class Choice(click.Choice):  # type: ignore[type-arg]  # generic from Click 8.2 on
    """One of several words, in any case and in British or American spelling, or another name of one.

    An error lists the words and suggests the nearest.
    """

    def __init__(self, choices: Iterable[str], others: Mapping[str, str] | None = None) -> None:
        super().__init__(tuple(choices))
        self._known = {_plain(name): word for name, word in (others or {}).items()}
        self._known |= {_plain(word): word for word in self.choices}

    def known(self, value: str) -> str | None:
        """The word that is meant."""
        return self._known.get(_plain(value))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        word = self.known(value)
        if word is None:
            raise wrong(value, either(self.choices), did_you_mean(value.lower(), self.choices))
        return word


def _plain(word: str) -> str:
    """A word without what people spell in different ways."""
    word = word.strip().lower().replace("_", "-")
    for british, american in (("colour", "color"), ("centre", "center"), ("grey", "gray")):
        word = word.replace(british, american)
    return word


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
    """Read ``640x480`` as (640, 480); x may also be X, *, a comma or the sign of multiplication."""
    match = re.fullmatch(rf"\s*({_SIDE})\s*{_TIMES}\s*({_SIDE})\s*", text)
    if match is None:
        raise wrong(text, allowed)
    return int(match[1]), int(match[2])


def any_size(text: str) -> tuple[str, int | tuple[int, int]]:
    """Read ``640x480``, or ``640`` (the longer side), ``640x`` (the width) or ``x480`` (the height).

    Returns the kind of a `SizeRequest`, and its value.

    >>> any_size("640X480"), any_size("x480")
    (('size', (640, 480)), ('height', 480))
    """
    match = re.fullmatch(rf"\s*({_SIDE})?\s*({_TIMES})?\s*({_SIDE})?\s*", text)
    width, times, height = match.groups() if match else (None, None, None)
    if width and times and height:
        return "size", (int(width), int(height))
    if width and not height:
        return ("width" if times else "longest"), int(width)
    if height and times:
        return "height", int(height)
    raise wrong(text, "a size like 640x480, 640 (longer side), 640x (width) or x480 (height)")


def scale(text: str) -> float:
    """Read ``4``, ``x4``, ``4x``, ``1/4``, ``1:4`` or ``25%`` as 4.0.

    >>> [scale(text) for text in ("4", "x4", "1/4", "2:5", "25%")]
    [4.0, 4.0, 4.0, 2.5, 4.0]
    """
    words = text.strip()
    try:
        if part := re.fullmatch(r"([^/:]+)[/:]([^/:]+)", words):
            value = float(part[2]) / float(part[1])
        elif words.endswith("%"):
            value = 100 / float(words[:-1])
        else:
            value = float(re.sub(rf"^{_TIMES}|{_TIMES}$", "", words, count=1))
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if math.isnan(value):
        raise wrong(text, "a scale like 4, 1/4 or 25%")
    return value


def percent(text: str) -> float:
    """Read ``50`` or ``50%`` as 50.0."""
    try:
        return float(text.strip().removesuffix("%"))
    except ValueError:
        raise wrong(text, "a number like 50 or 50%") from None


def least_size(text: str) -> tuple[int, int]:
    """Read ``256`` or ``640x480`` as the least width and height."""
    if re.fullmatch(_SIDE, text):
        return int(text), int(text)
    return width_and_height(text, "a size like 256 or 640x480")


def crop_box(text: str) -> tuple[float, ...]:
    """Read ``10,20.5,640,480`` as left, top, width and height."""
    words = tuple(word.strip() for word in text.split(","))
    if len(words) != 4 or not all(re.fullmatch(_DECIMAL, word) for word in words):
        raise wrong(text, "left, top, width and height like 10,20.5,640,480")
    return tuple(map(float, words))


def gravity(text: str) -> str | tuple[float, float]:
    """Read a word such as ``north``, or ``320,200`` as the point (320.0, 200.0)."""
    words = [word.strip() for word in text.split(",")]
    if len(words) == 2 and all(re.fullmatch(_DECIMAL, word) for word in words):
        return float(words[0]), float(words[1])
    word = Choice(Gravity.words()).known(text)
    if word is None:
        raise wrong(text, f"{', '.join(Gravity.words())}, or a point like 320,200")
    return word


def two_numbers(text: str) -> tuple[float, float]:
    """Read ``0,255`` as (0.0, 255.0), the smaller number first."""
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low, high = math.nan, math.nan
    if not 0 < high - low < math.inf:
        raise wrong(text, "two numbers like 0,255, the smaller first")
    return low, high


def words_of(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    """Read some of these words, with commas between them."""

    def read(text: str) -> tuple[str, ...]:
        words = tuple(dict.fromkeys(map(_plain, text.split(","))))
        if not set(words) <= set(known):
            raise wrong(text, either([*known, ",".join(known)]))
        return words

    return read


def pixel_count(text: str) -> int:
    """Read ``512M`` as 512000000."""
    match = re.fullmatch(r"(\d{1,15})([kMG]?)", text)
    if match is None or not int(match[1]):
        raise wrong(text, "a number of pixels like 512000000 or 512M")
    return int(match[1]) * {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[match[2]]


def byte_count(text: str) -> int:
    """Read ``200kB``, ``1.5 MB``, ``64KiB`` or ``50000`` as bytes; kB are 1000 of them and KiB 1024.

    >>> [byte_count(text) for text in ("200kB", "1.5 MB", "64KiB", "50000")]
    [200000, 1500000, 65536, 50000]
    """
    from fractions import Fraction

    match = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*([kmg]?)(i?)(b?|bytes)\s*", text.lower())
    count = 0
    if match and (match[2] or not match[3]):
        count = int(Fraction(match[1]) * (1024 if match[3] else 1000) ** " kmg".index(match[2] or " "))
    if not count:
        raise wrong(text, "a size like 200kB, 1.5MB, 64KiB or 50000")
    return count


class Option(click.Option):
    """An option in a section of --help; its help ends with a note on its default."""

    section = ""
    note = ""
    names: tuple[str, ...] = ()  # of what comes with the package, which the value may be

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What the type completes; else the words of what stands for the value, and files."""
        from click.shell_completion import CompletionItem

        if found := super().shell_complete(ctx, incomplete):
            return found
        parts = (self.metavar or "").split("|")
        words = [part for part in parts if part == part.lower() and part.startswith(incomplete)]
        words += [name for name in self.names if name.startswith(incomplete)]
        files = [_COMPLETED[part] for part in parts if part in _COMPLETED]
        # First the file, as Bash forgets the words before it.
        return [*(CompletionItem(incomplete, type=kind) for kind in files[:1]), *map(CompletionItem, words)]

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return record and (record[0], f"{self.help}  [{self.note}]" if self.note else self.help or "")


def option(
    names: str, text: str, kind: Any = None, *, shown: str = "", name: str = "", **more: Any
) -> Option:
    """Declare an option much as help shows it.

    `names` ends with what stands for the value, as in ``-s --scale F``. `kind` reads the value: a tuple of
    words, int, float, or what Click calls a type; without both, the option is a flag. `shown` is the default
    in words, and `name` the argument, if it is not the longest name. `more` is for `click.Option`.
    """
    words = names.split()
    metavar = None if words[-1].startswith("-") else words.pop()
    if isinstance(kind, tuple):
        kind = Choice(kind)
    elif kind in (int, float):
        kind = number(whole=kind is int)
    if more.get("multiple"):
        text += " May be given again."
    if metavar is None and kind is None:
        more["is_flag"] = True
    made = Option([*words, name] if name else words, help=text, type=kind, metavar=metavar, **more)
    default = shown or more.get("default", "")
    if made.required:
        made.note = "required"
    elif default != "" and not isinstance(default, bool | None):
        made.note = f"default: {' '.join(default) if isinstance(default, list) else default}"
    return made


def sections(*items: click.Parameter | str) -> list[click.Parameter]:
    """Put options into the section whose title stands before them, unless they are in one."""
    title, parameters = "", []
    for item in items:
        if isinstance(item, str):
            title = item
            continue
        if isinstance(item, Option):
            item.section = item.section or title
        parameters.append(item)
    return parameters


class Explained(click.Command):
    """A command that explains itself when called without the arguments it needs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if self.no_args_is_help and not args and not ctx.resilient_parsing:
            show(ctx.get_help() + "\n")
            ctx.exit(2)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # which Click leaves out of some
            raise


class Command(Explained):
    """A command that lists its options in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, rows in self.rows(ctx).items():
            write_section(formatter, title, rows)

    def rows(self, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
        """Names of options and what they do, by the titles of sections, in the order of --help."""
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        rows: dict[str, list[tuple[str, str]]] = {}
        for each in options:
            title = "Options" if len(options) <= _FEW else getattr(each, "section", SECTIONS[-1])
            if (record := each.get_help_record(ctx)) is not None:
                rows.setdefault(title, []).append(record)
        return {title: rows[title] for title in sorted(rows, key=(*SECTIONS, "Options").index)}


def write_section(
    formatter: click.HelpFormatter, title: str, rows: Iterable[tuple[str, str]], width: int = _COLUMN
) -> None:
    """Write names, and what they mean beside them from the same column on; no hyphen ends a line."""
    indent = " " * (width + 4)
    with formatter.section(title):
        for name, text in rows:
            start = f"  {name:{width}}  "
            if len(start) > len(indent):
                formatter.write(f"  {name}\n")
                start = indent
            lines = wrap(
                text, formatter.width, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False
            )
            formatter.write("\n".join(lines) + "\n")
