"""Commands whose --help lists options in sections."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap
from typing import Any

import click

from dpid_cli.cli.console import show
from dpid_cli.cli.values import Choice, number

# In the order of --help. Options of short commands need no title of their own.
SECTIONS = (
    "Inputs", "Size", "Method", "Fit", "Figure", "Colour and alpha", "Output", "Metadata", "Input limits",
    "Running", "Options",
)  # fmt: skip
_COLUMN = 26  # where the names of options end, in every section


class Option(click.Option):
    """An option in a section of --help; its help ends with a note on its default."""

    section = SECTIONS[-1]
    note = ""

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


def section(title: str, *options: Option) -> list[click.Parameter]:
    """Put options under this title of --help, in this order."""
    for each in options:
        each.section = title
    return list(options)


class Command(click.Command):
    """A command that lists its options in sections, and explains itself when called without arguments."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        help_instead_of_nothing(self, ctx, args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # which Click leaves out of some
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows: dict[str, list[tuple[str, str]]] = {}
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx)
            if isinstance(each, click.Option) and record is not None:
                last = max(rows, key=SECTIONS.index, default=SECTIONS[-1])  # where --help itself belongs
                rows.setdefault(getattr(each, "section", last), []).append(record)
        for title in sorted(rows, key=SECTIONS.index):
            write_section(formatter, title, rows[title])


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


def help_instead_of_nothing(command: click.Command, ctx: click.Context, args: list[str]) -> None:
    """Show the help and exit with 2 if a command that needs arguments gets none."""
    if command.no_args_is_help and not args and not ctx.resilient_parsing:
        show(ctx.get_help() + "\n")
        ctx.exit(2)
