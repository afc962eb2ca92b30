"""Messages on standard error, one line each."""

from __future__ import annotations

import codecs
import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

import click

_Cleared = Callable[[], AbstractContextManager[object]]
_cleared: _Cleared = nullcontext  # of a bar that stands in the last line
_WORDS = str.maketrans(
    {"λ": "lambda", "α": "alpha", "β": "beta", "ε": "epsilon", "∞": "inf", "±": "+-", "÷": "/", "×": "x"}
    | {"−": "-", "→": "->"}
)


def printable(text: str) -> str:
    """Escape control characters and broken bytes, so that any terminal shows `text` in one line."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text
    )


def escape_unknown() -> None:
    """Let standard output write words for symbols that its encoding lacks, and escape other characters.

    Broken bytes of names stay as they are where they do, as on Windows and in the locale C.
    """
    handlers = {"strict": "dpid", "surrogateescape": "dpid-bytes"}
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in handlers:
        codecs.register_error("dpid", _worded)
        codecs.register_error("dpid-bytes", _escaped)
        sys.stdout.reconfigure(errors=handlers[sys.stdout.errors])


def _worded(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    symbol = error.object[error.start]
    words = symbol.translate(_WORDS)
    return codecs.backslashreplace_errors(error) if words == symbol else (words, error.start + 1)


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return _worded(error)


def without_linear_algebra() -> None:
    """Before a command imports NumPy that multiplies no large matrices: let it start no threads for that.

    They take a quarter of the time of the import.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def shown(value: float | int | str) -> str:
    """A value as people write it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def on_terminal() -> bool:
    """Whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def columns() -> int:
    """Width of the terminal that shows standard error; 80 where it is unknown."""
    with suppress(OSError, ValueError, AttributeError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    return 80


def clear_with(cleared: _Cleared | None) -> None:
    """Print nothing but in the context that `cleared` makes, which removes a bar; None for no bar."""
    global _cleared  # noqa: PLW0603  # one per terminal
    _cleared = cleared or nullcontext


@contextmanager
def best_effort() -> Iterator[None]:
    """Write to standard error; if that fails, as after a terminal closes, go on in silence."""
    try:
        yield
    except OSError:
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stderr.fileno())
            os.close(nowhere)


def show(text: str) -> None:
    """Print `text` on standard error."""
    with best_effort(), _cleared():
        click.echo(text, err=True, nl=False)


def show_traceback(text: str | None = None) -> None:
    """Print a traceback on standard error, that of the error at hand by default."""
    lines = (text or traceback.format_exc()).rstrip("\n").split("\n")
    show("".join(f"{printable(line)}\n" for line in lines))


def at_once(text: str) -> None:
    """Write a line over a bar on the terminal, if there is one, past all buffers, as signal handlers may."""
    if on_terminal():
        with suppress(OSError):
            os.write(sys.stderr.fileno(), f"\r{text:<{columns() - 1}}\n".encode())


def echo(text: str | bytes) -> None:
    """Print a line on standard output."""
    with _cleared():
        click.echo(text)


def echo_path(path: str) -> None:
    """Print a path on standard output: its bytes for other programs, in one line on a terminal."""
    on_screen = sys.stdout is not None and sys.stdout.isatty()
    echo(printable(path) if on_screen else os.fsencode(path))


def say(message: str) -> None:
    """Print one line on standard error."""
    show(printable(message) + "\n")


def announce(kind: str, seconds: float | None) -> None:
    """Say why a first run takes long, for `jit.report_to`: on a terminal, in a line that counts seconds."""
    from dpid_cli.kernels.jit import cache_folder

    often = "once per kind" if cache_folder() else "in every run: see 'dpid info'"
    what = f"for {kind} images" if kind else "more"
    notice = f"dpid: compiling {what} (about 10 s, {often})"
    counts = _cleared is nullcontext and on_terminal() and len(notice) + len(": 999 s") < columns()
    if counts:
        show("\n" if seconds is None else f"\r{notice}: {seconds:.0f} s")
    elif seconds is not None and seconds < 1:
        say(notice)
