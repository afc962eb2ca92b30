"""The command `dpid`: each module parses, makes one lazily imported call, and prints."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from dpid_cli.cli.console import say, show
from dpid_cli.errors import ArgumentError, DpidError

COMMANDS = ("downscale", "batch", "compare", "learn", "methods", "info", "warmup")


class Cli(click.Group):
    """Commands imported when used; every error in one line, with its exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"dpid_cli.cli.{cmd_name}").command
        return command

    def main(  # type: ignore[override]  # one signature for both of the base's overloads
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        _occupy_standard_streams()
        if not standalone_mode:
            return super().main(words, standalone_mode=False, **extra)
        try:
            code = super().main(words, standalone_mode=False, **extra)
        except Exception as error:
            if "--debug" in words:
                traceback.print_exc()
            code = _report(error)
        except KeyboardInterrupt:
            code = 130
        sys.exit(code if isinstance(code, int) else 0)


def _occupy_standard_streams() -> None:
    """Give no file the number of one that is closed, where libraries would print into it."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(handle)


def _report(error: Exception) -> int:
    """Say what is wrong in one line and return the exit code."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            show((error.ctx.get_help() if error.ctx else "") + "\n")
            return 2
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "dpid"
            say(f"{command}: {error.format_message().rstrip('.')}: see '{command} --help'")
            return 2
        case click.Abort():
            return 130
        case DpidError():
            say(str(error))
            return 2 if isinstance(error, ArgumentError) else 1
        case OSError():
            where, what = error.filename or "standard output", (error.strerror or str(error)).lower()
            say(f"{where}: cannot be written: {what}: check space and rights")
            return 1
        case _:
            say(
                f"dpid: internal error: {type(error).__name__}: {error}: run again with --debug and report it"
            )
            return 1


@click.group(cls=Cli, name="dpid", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dpid-cli", prog_name="dpid")
def main() -> None:
    """Downscale images so that small details survive.

    DPID (Weber et al. 2016), DPP (Saeedan et al. 2018) and the filters they are measured against.
    """
