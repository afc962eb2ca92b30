"""Load object code without LLVM, whose import takes 25 ms and 45 MB; for ELF files of x86-64 on Linux.

Kernels call next to nothing. So all there is to do is to put the sections of a file into memory, and the
addresses of constants and functions into the code. Files that need anything else are refused.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import sys
from typing import NamedTuple

_HEADER = struct.Struct("<6s10xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QIIq")
_KIND = (b"\x7fELF\x02\x01", 1, 62)  # 64 bits, low bytes first; relocatable; x86-64
_SYMBOLS, _RELOCATIONS, _ZEROS = 2, 4, 8  # types of sections
_LOADED = 2  # a flag of sections
_ADDRESS = 1  # R_X86_64_64, the only relocation of the code that LLVM makes for a large address space
_UNWINDING = b".eh_frame"  # for exceptions, which kernels do not raise

_memories: list[mmap.mmap] = []  # of loaded code, which stays as long as the process


class RefusedError(Exception):
    """Object code that needs more than this module does."""


class _Section(NamedTuple):
    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int

    def content(self, file: bytes) -> bytes:
        return file[self.offset : self.offset + self.size]


def load(file: bytes, symbol: str) -> int:
    """Load object code into this process, and return a function's address."""
    try:
        return _load(file, symbol.encode())
    except (
        struct.error,
        IndexError,
        KeyError,
        ValueError,
        ArithmeticError,
        OSError,
        AttributeError,
    ) as error:
        raise RefusedError from error


def _load(file: bytes, symbol: bytes) -> int:
    if sys.platform != "linux":
        raise RefusedError
    magic, kind, machine, _, _, _, start, _, _, _, _, _, count, names = _HEADER.unpack_from(file)
    if (magic, kind, machine) != _KIND:
        raise RefusedError
    sections = [_Section(*_SECTION.unpack_from(file, start + k * _SECTION.size)) for k in range(count)]
    titles = sections[names].content(file)
    places: dict[int, int] = {}
    end = 0
    for number, section in enumerate(sections):
        if section.flags & _LOADED and _text(titles, section.name) != _UNWINDING:
            places[number] = -(-end // section.alignment) * section.alignment
            end = places[number] + section.size
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    memory = mmap.mmap(-1, end, private, mmap.PROT_READ | mmap.PROT_WRITE)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for number, place in places.items():
        if sections[number].type != _ZEROS:
            memory[place : place + sections[number].size] = sections[number].content(file)
    addresses = {number: base + place for number, place in places.items()}
    symbols = _symbols(file, sections, addresses)
    for section in sections:
        if section.type == _RELOCATIONS and section.info in places:
            for offset, relocation, number, added in _RELOCATION.iter_unpack(section.content(file)):
                if relocation != _ADDRESS:
                    raise RefusedError
                struct.pack_into("<Q", memory, places[section.info] + offset, symbols[number][1] + added)
    protection = ctypes.c_int(mmap.PROT_READ | mmap.PROT_EXEC)
    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(base), ctypes.c_size_t(end), protection):
        raise RefusedError
    _memories.append(memory)
    return dict(symbols.values())[symbol]


def _symbols(
    file: bytes, sections: list[_Section], addresses: dict[int, int]
) -> dict[int, tuple[bytes, int]]:
    """Name and address of every symbol that is in memory, here or in the C library, by its number."""
    library = ctypes.CDLL(None)
    (table,) = (section for section in sections if section.type == _SYMBOLS)
    titles = sections[table.link].content(file)
    symbols: dict[int, tuple[bytes, int]] = {}
    for number, (name, _, _, section, value, _) in enumerate(_SYMBOL.iter_unpack(table.content(file))):
        title = _text(titles, name)
        if section in addresses:
            symbols[number] = title, addresses[section] + value
        elif section == 0 and title:
            function = ctypes.cast(getattr(library, title.decode()), ctypes.c_void_p)
            symbols[number] = title, function.value or 0
    return symbols


def _text(titles: bytes, offset: int) -> bytes:
    return titles[offset : titles.index(b"\0", offset)]
