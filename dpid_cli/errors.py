"""Errors and warnings: what is wrong, where, and what to do about it."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class DpidError(ValueError):
    """Base class of all errors that dpid raises on purpose; also a `ValueError`.

    Examples
    --------
    >>> import numpy as np, dpid_cli
    >>> dpid_cli.downscale(np.zeros((4, 4)), scale=0.5)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    dpid_cli.errors.SizeError: scale: ...
    >>> issubclass(dpid_cli.DpidError, ValueError)
    True
    """

    def __str__(self) -> str:
        return re.sub(r"\n\s+", " ", super().__str__())  # of arrays, which take several lines


class ArgumentError(DpidError):
    """An argument or option that is invalid for every image (exit code 2).

    Examples
    --------
    >>> import dpid_cli
    >>> dpid_cli.METHODS["dpid"].parameters({"lambda_": -1})  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    dpid_cli.errors.ArgumentError: lambda: ...
    """


class SizeError(ArgumentError):
    """An output size that is not positive or is larger than the image (exit code 2).

    Examples
    --------
    >>> import numpy as np, dpid_cli
    >>> dpid_cli.downscale(np.zeros((4, 4)), size=(8, 8))  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    dpid_cli.errors.SizeError: size: ...
    """


class FileError(DpidError):
    """A file that cannot be read or written (exit code 1).

    Examples
    --------
    >>> import dpid_cli
    >>> dpid_cli.Filter.load("photo").save("missing/photo.json")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    dpid_cli.errors.FileError: missing/photo.json: ...
    """


class DpidWarning(UserWarning):
    """Something that the output lacks or that differs from what was asked for.

    Examples
    --------
    >>> import warnings, dpid_cli
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", dpid_cli.DpidWarning)
    ...     results = list(dpid_cli.batch([("photo.png", "small.jpg")], scale=4))
    """


_collected: ContextVar[list[str] | None] = ContextVar("collected", default=None)


def warn(message: str) -> None:
    """Give users one line, which begins with the name of the file."""
    told = _collected.get()
    if told is None:
        warnings.warn(message, DpidWarning, stacklevel=3)
    else:
        told.append(message)


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collect the warnings of this thread; Python's own filters belong to the whole process."""
    told: list[str] = []
    token = _collected.set(told)
    try:
        yield told
    finally:
        _collected.reset(token)


def reason(error: OSError) -> str:
    """What the operating system reports, without number and path."""
    if isinstance(error, FileNotFoundError) and not _in_a_folder():
        return "the current folder has been deleted"
    return (error.strerror or str(error)).lower()


def _in_a_folder() -> bool:
    try:
        os.getcwd()  # noqa: PTH109
    except OSError:
        return False
    return True


def shortage(error: BaseException) -> str:
    """What the system did not give, if that is what an error says: memory, or a thread; else nothing.

    >>> shortage(MemoryError()), shortage(RuntimeError("can't start new thread")), shortage(KeyError())
    ('not enough memory', 'not enough memory for another thread', '')
    """
    said = str(error).lower()
    match error:
        case RuntimeError() if "can't start new thread" in said:
            return "not enough memory for another thread"
        case MemoryError():
            lacks = True
        case ImportError():  # as loaders say it
            lacks = "failed to map segment" in said or "cannot allocate memory" in said
        case RuntimeError():
            lacks = "can't allocate lock" in said
        case SystemError():  # there was not even enough to make an error
            lacks = "without" in said and "exception" in said
        case _:
            lacks = False
    return "not enough memory" if lacks else ""


def one_line(error: BaseException) -> str:
    """The message of another library's error, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def either(words: Iterable[str]) -> str:
    """Join alternatives for a message.

    >>> either(["skip", "copy", "error"])
    'skip, copy or error'
    """
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
