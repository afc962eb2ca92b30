"""Ctrl-C while C code runs, which hears no signals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import TypeVar

from dpid_cli.platform import PATIENCE

T = TypeVar("T")


def awaited(result: Future[T]) -> T:
    """What a future returns or raises; meanwhile Ctrl-C is heard, on Windows too."""
    while PATIENCE is not None and not result.done():
        wait([result], PATIENCE)
    return result.result()


def interruptible(call: Callable[[], T], tell: Callable[[], None] | None = None) -> T:
    """Return ``call()``, made in a thread of its own if this is the main thread, which alone hears Ctrl-C.

    `tell` is called about once a second meanwhile. After Ctrl-C nobody waits for the thread, so `call` must
    not write to what others may use then, such as the number of a file.
    """
    if tell is None and threading.current_thread() is not threading.main_thread():
        return call()
    result: Future[T] = Future()
    context = copy_context()

    def run() -> None:
        try:
            result.set_result(context.run(call))
        except BaseException as error:  # raised by the one who waits
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    while tell is not None and not result.done():
        tell()
        wait([result], timeout=1)
    return awaited(result)
