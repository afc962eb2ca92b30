"""The command `dpid`: each module parses, makes one lazily imported call, and prints."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from dpid_cli.cli.console import escape_unknown, say, show_traceback
from dpid_cli.cli.sections import Explained, did_you_mean, write_section
from dpid_cli.errors import ArgumentError, DpidError, reason, shortage
from dpid_cli.version import __version__

# With the first sentence of each: `dpid --help` imports none of them.
COMMANDS = {
    "downscale": "Downscale images so that small details survive.",
    "batch": "Downscale folders of images, on all CPU cores.",
    "pairs": "Make pairs of images for super-resolution training.",
    "video": "Downscale a video so that small details survive.",
    "compare": "Compare methods on images, side by side and by metrics.",
    "learn": "Learn a filter from images, for 'dpid downscale --guidance'.",
    "methods": "List methods and their parameters, with sources and defaults.",
    "info": "Show what dpid sees in images, or what the installation can do.",
    "warmup": "Compile all kernels now, so that later runs start at once.",
    "cache": "Show or empty the cache of compiled kernels.",
    "completion": "Print a script that completes commands, options and values.",
    "schema": "Print the JSON schema of an output of dpid, or list all schemas.",
    "help": "Show this help, or the help of a command.",
}
# As for programs that the signal of a closed pipe ends.
_INTERRUPTED, _CLOSED_PIPE = 130, 141
_NEW_OBJECTS = 20_000  # between two searches for garbage
# Modules of several commands; every other command has its own.
_MODULES = dict.fromkeys(("methods", "info", "warmup", "cache", "help"), "about")
_MODULES |= dict.fromkeys(("completion", "schema"), "shell") | {"pairs": "batch"}


class Cli(Explained, click.Group):
    """Commands imported when used; every error in one line, with its exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"dpid_cli.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_section(formatter, "Commands", COMMANDS.items(), width=max(map(len, COMMANDS)))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = tuple(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if any(map(os.path.exists, words)):
                _propose(ctx, f"{error.option_name} belongs to a command", "downscale", *words)
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            _refuse(ctx, *args)
        return super().resolve_command(ctx, args)

    def main(  # type: ignore[override]  # one signature for both of the base's overloads
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        _occupy_standard_streams()
        escape_unknown()
        gc.set_threshold(_NEW_OBJECTS)  # imports make many objects and hardly any garbage
        if not standalone_mode or "_DPID_COMPLETE" in os.environ:
            return super().main(args, standalone_mode=False, **extra)
        try:
            code = super().main(args, standalone_mode=False, **extra)  # Click expands patterns on Windows
        except Exception as error:
            if "--debug" in words:
                show_traceback()
            code = _INTERRUPTED if _is_interrupt(error) else _report(error)
        except KeyboardInterrupt:
            code = _INTERRUPTED
        except SystemExit:  # which Click raises where standard output is a pipe that nobody reads any more
            code = _CLOSED_PIPE
        if args is None:  # as the command
            gc.freeze()  # else the end looks for garbage again and again, for 50 ms
            if code == _INTERRUPTED:  # threads that compile hear no signals
                sys.stdout.flush()
                os._exit(code)
        sys.exit(code if isinstance(code, int) else 0)


def _occupy_standard_streams() -> None:
    """Open the null device for closed standard streams, so that no other file takes their numbers."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(handle)


def _refuse(ctx: click.Context, word: str, *rest: str) -> NoReturn:
    """Say what to type instead of a word that is no command: it may be misspelled, or an input."""
    folder = os.path.isdir(word)  # noqa: PTH112
    if not (folder or os.path.exists(word) or re.search(r"[./*?\[\\]|^-$", word)):  # noqa: PTH110
        hint = did_you_mean(word, list(COMMANDS)) or f"see '{ctx.command_path} --help'"
        raise ArgumentError(f"{ctx.command_path}: there is no command {word}: {hint}")
    output = ["OUTPUT_DIR"] if folder and (not rest or rest[0].startswith("-")) else []
    size = [] if any(each.startswith("-") for each in rest) else ["-s", "4"]
    command = "batch" if folder else "downscale"
    _propose(ctx, f"{word} is not a command", command, word, *output, *rest, *size)


def _propose(ctx: click.Context, wrong: str, *words: str) -> NoReturn:
    from shlex import join

    raise ArgumentError(f"{ctx.command_path}: {wrong}: type: {ctx.command_path} {join(words)}")


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether it stands for Ctrl-C, as in a class that is being defined."""
    return error is not None and (isinstance(error, KeyboardInterrupt) or _is_interrupt(error.__cause__))


def _report(error: Exception) -> int:
    """Say what is wrong in one line and return the exit code."""
    match error:
        case click.UsageError():
            program = error.ctx.command_path if error.ctx else "dpid"
            message = _wording(error)
            say(f"{program}: {message}" + ("" if message.endswith("?") else f": see '{program} --help'"))
            return 2
        case click.Abort():
            return _INTERRUPTED
        case DpidError():
            say(str(error))
            return 2 if isinstance(error, ArgumentError) else 1
        case _ if lack := shortage(error):
            say(f"dpid: {lack}: free some, or let this process use more")
            return 1
        case OSError():
            what, where = reason(error), error.filename or "standard output"
            if isinstance(error, FileNotFoundError) and error.filename is None:
                say(f"dpid: {what}: change to another folder")
            else:
                say(f"{where}: cannot be written: {what}: check space and rights")
            return 1
        case _:
            what = f"{type(error).__name__}: {error}"
            say(f"dpid: internal error: {what}: run again with --debug and report it")
            return 1


def _wording(error: click.UsageError) -> str:
    """What is wrong, in the words of this command where Click has others."""
    match error:
        case click.NoSuchOption(option_name=name, possibilities=near):
            return ": ".join(filter(None, (f"there is no option {name}", did_you_mean(name, near or ()))))
        case click.MissingParameter() | click.BadOptionUsage():
            message = error.format_message().rstrip(".")
            return message[0].lower() + message[1:]
        case click.BadParameter(param=click.Option(opts=names)):
            return f"{max(names, key=len)} {error.message}"
        case click.BadParameter(param=click.Argument(name=str(name))):
            return f"{name.upper()} {error.message}"
        case _:
            return error.format_message()


@click.group(
    cls=Cli, name="dpid", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, "-V", "--version", prog_name="dpid")
def main() -> None:
    """Downscale images so that small details survive.

    DPID (Weber et al. 2016), DPP (Saeedan et al. 2018) and the filters they are measured against.

    \b
      dpid downscale photo.jpg -s 4
      dpid batch photos/ small/ -s 4
      dpid help downscale
    """
