"""The library that decodes compressed TIFF for Pillow, and what it prints."""

from __future__ import annotations

import ctypes
from ctypes.util import find_library
from functools import cache
from pathlib import Path

import PIL


@cache
def silence() -> None:
    """Keep it from printing to standard error what it tells Pillow as well.

    It has one handler of errors for the whole process, which Pillow leaves as it is. Where the library is not
    found, for instance because Pillow contains it, it goes on printing.
    """
    package = Path(PIL.__file__).parent
    bundled = [*package.parent.glob("pillow.libs/libtiff*"), *package.glob(".dylibs/libtiff*")]
    for path in bundled or filter(None, [find_library("tiff")]):
        try:
            set_handler = ctypes.CDLL(str(path)).TIFFSetErrorHandler
        except (OSError, AttributeError):
            continue
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)
