"""What can go wrong, each error saying what, where, and what to do about it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class DpidError(ValueError):
    """Base of every error that dpid raises on purpose.

    It is a `ValueError` too, so that callers of the library need not know it.
    """


class ArgumentError(DpidError):
    """An argument or option that no image could satisfy (exit code 2)."""


class SizeError(ArgumentError):
    """A result size that is not positive or larger than the image (exit code 2)."""


class FileError(DpidError):
    """A file that cannot be read or written (exit code 1)."""


class DpidWarning(UserWarning):
    """Something that the result cannot hold and that the user should know about."""


_collected: ContextVar[list[str] | None] = ContextVar("collected", default=None)


def warn(message: str) -> None:
    """Tell users of something, a line that begins with the file's name."""
    told = _collected.get()
    if told is None:
        warnings.warn(message, DpidWarning, stacklevel=3)
    else:
        told.append(message)


@contextmanager
def collected() -> Iterator[list[str]]:
    """The warnings of this thread alone, whatever others do with Python's, which belong to the process."""
    told: list[str] = []
    token = _collected.set(told)
    try:
        yield told
    finally:
        _collected.reset(token)


def one_line(error: BaseException) -> str:
    """What an error of another library says."""
    return " ".join(str(error).split()) or type(error).__name__


def reason(error: OSError) -> str:
    """What the operating system says, without number and path."""
    return (error.strerror or str(error)).lower()
