"""Ctrl-C while C code runs, which hears no signals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


def interruptible(call: Callable[[], T], tell: Callable[[], None] | None = None) -> T:
    """Return ``call()``, made in a thread of its own: waiting for it can be interrupted.

    `tell` is called about once a second meanwhile. The end of the process does not wait for the thread, so
    `call` must not write to what others may use when it is interrupted.
    """
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
    return result.result()
