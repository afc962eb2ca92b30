"""What asks a command to end: Ctrl-C, kill, a terminal that is closed; its processes get some of it, too."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
Handler = Callable[[int, FrameType | None], object] | signal.Handlers


@contextmanager
def handled(handler: Handler, numbers: Iterable[int] = ENDING) -> Iterator[None]:
    """Let `handler` do what is to be done; what is ignored from the start, as by nohup, stays so."""
    heard = [number for number in numbers if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def ignored() -> Iterator[None]:
    """Let processes begin, by any thread, that leave what a whole terminal gets to this one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with handled(signal.SIG_IGN, (number for number in ENDING if number != signal.SIGTERM)):
        yield


@contextmanager
def blocked() -> Iterator[None]:
    """Let processes begin, by this thread, that hear nothing of it; this one hears it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore() -> None:
    """Hear nothing of it in this process."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
