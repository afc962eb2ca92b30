"""Signals that ask a command to end: Ctrl-C, kill, a closed terminal. Its processes may receive them, too."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from dpid_cli.platform import HANGUP, signals_blocked

ENDING = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, HANGUP)))
Handler = Callable[[int, FrameType | None], object] | signal.Handlers


@contextmanager
def handled(handler: Handler, numbers: Iterable[int] = ENDING) -> Iterator[None]:
    """Handle signals with `handler`, except those that were ignored from the start, as by nohup."""
    heard = [number for number in numbers if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def ignored() -> Iterator[None]:
    """Start processes, on any thread, that ignore what a terminal sends to all its processes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with handled(signal.SIG_IGN, (number for number in ENDING if number != signal.SIGTERM)):
        yield


@contextmanager
def blocked() -> Iterator[None]:
    """Start processes, on this thread, that receive no signals; this one receives them afterwards."""
    with signals_blocked(ENDING):
        yield


def ignore() -> None:
    """Ignore the signals in this process from now on."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
