"""What the commands say, apart from results: one line each, on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click


def printable(text: str) -> str:
    """`text` in one line that any terminal can show: control characters and broken bytes escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text
    )


def shown(value: float | int | str) -> str:
    """A parameter's value as people write it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def on_terminal() -> bool:
    """Whether somebody may be watching standard error."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def best_effort() -> Iterator[None]:
    """Write to standard error; where nobody takes it, as at a closed terminal, work goes on in silence."""
    try:
        yield
    except OSError:
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stderr.fileno())
            os.close(nowhere)


def show(text: str) -> None:
    """Print this, as it is, on standard error."""
    with best_effort():
        click.echo(text, err=True, nl=False)


def at_once(text: str) -> None:
    """Write this to a terminal, if there is one, as a handler of signals may: past all buffers."""
    if on_terminal():
        with suppress(OSError):
            os.write(sys.stderr.fileno(), text.encode())


def say(message: str) -> None:
    """Print one line on standard error."""
    show(printable(message) + "\n")


def announce(kept: bool) -> None:
    """Say why a first run takes long; `kept` is whether compiled kernels are."""
    later = "once; later runs start at once" if kept else "in every run: see 'kernel cache' in 'dpid info'"
    say(f"dpid: compiling kernels for this machine, {later}")
