"""Store machine code on disk and load it into memory, without Numba.

The cache folder is ``DPID_CACHE_DIR``, or ``dpid-cli`` in the user's cache folder. It has one subfolder for
each combination of kernel sources, Python, Numba, LLVM and CPU. The sources of all kernels count, so that an
edited helper in another file is never missed. A file holds one kernel for one combination of types: a
digest of the rest, a line of JSON and the object code. Files are replaced as a whole, so that several
processes may write the same file.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm


class MachineCode(NamedTuple):
    """A compiled function.

    Attributes
    ----------
    symbol : str
        Its name in the object code.
    externals : list of str
        The C library's functions that it calls.
    code : bytes
        Relocatable object code.
    """

    symbol: str
    externals: list[str]
    code: bytes


def base_folder() -> Path:
    """The folder that the user has chosen for caches."""
    chosen = os.environ.get("DPID_CACHE_DIR")
    if chosen:
        return Path(chosen)
    users = os.environ.get("XDG_CACHE_HOME")
    return (Path(users) if users else Path.home() / ".cache") / "dpid-cli"


@cache
def folder() -> Path | None:
    """The subfolder for this process, created if needed; None if it cannot be written or trusted."""
    with suppress(OSError, RuntimeError):  # no home
        path = base_folder().absolute() / _stamp()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(path, os.W_OK) and _is_private(path):
            return path
    return None


@cache
def cuda_folder() -> Path | None:
    """The folder in which Numba caches code for GPUs: below `folder`, one for the sources of CUDA kernels."""
    parent = folder()
    if parent is not None:
        sources = b"\0".join(
            source.read_bytes() for source in sorted(Path(__file__).parent.glob("cuda/*.py"))
        )
        with suppress(OSError):
            path = parent / f"cuda-{sha256(sources).hexdigest()[:16]}"
            path.mkdir(mode=0o700, exist_ok=True)
            return path
    return None


def _is_private(path: Path) -> bool:
    """Whether only this user and the administrator can write code there that would be run."""
    status = path.stat()
    ours = not hasattr(os, "getuid") or status.st_uid in (0, os.getuid())
    return ours and not status.st_mode & stat.S_IWOTH


def _stamp() -> str:
    """A short digest of all that machine code depends on, apart from the types of the arguments."""
    return sha256(b"\0".join(_circumstances())).hexdigest()[:16]


def _circumstances() -> Iterator[bytes]:
    for source in sorted(Path(__file__).parent.glob("*.py")):
        yield source.read_bytes()
    numba = find_spec("numba")
    if numba is not None and numba.origin is not None:
        yield Path(numba.origin).with_name("_version.py").read_bytes()
    yield llvmlite.__version__.encode()
    yield sys.version.encode()
    yield llvm.get_default_triple().encode()
    yield llvm.get_host_cpu_name().encode()
    yield llvm.get_host_cpu_features().flatten().encode()
    for name, value in sorted(os.environ.items()):
        if name.startswith("NUMBA_"):
            yield f"{name}={value}".encode(errors="surrogateescape")


def _path(name: str, key: tuple[Any, ...]) -> Path | None:
    """The file for a kernel; None if there is no folder, or the kernel lies outside the stamped sources."""
    parent = folder() if name.startswith(f"{__package__}.") else None
    short = name.removeprefix(f"{__package__}.")
    return parent and parent / f"{short}-{sha256(repr(key).encode()).hexdigest()[:16]}.o"


def read(name: str, key: tuple[Any, ...]) -> MachineCode | None:
    """Read the code of a kernel for arguments of these types; None if it is missing, damaged or unusable."""
    path = _path(name, key)
    if path is None:
        return None
    try:
        digest, content = path.read_bytes().split(b"\n", 1)
    except (OSError, ValueError):
        return None
    if digest != _digest(content):
        return None
    head, code = content.split(b"\n", 1)
    symbol, *externals = json.loads(head)
    return MachineCode(symbol, externals, code) if all(map(_is_here, externals)) else None


def write(name: str, key: tuple[Any, ...], code: MachineCode) -> None:
    """Store the code of a kernel; do nothing if the folder cannot be written any more."""
    path = _path(name, key)
    if path is None:
        return
    content = json.dumps([code.symbol, *code.externals]).encode() + b"\n" + code.code
    with suppress(OSError):
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=path.stem, suffix=".tmp", delete=False
        ) as stream:
            temporary = Path(stream.name)
            stream.write(_digest(content) + b"\n" + content)
        try:
            temporary.replace(path)
        except OSError:
            temporary.unlink()
            raise


def _is_here(external: str) -> bool:
    """Whether this process has the function. LLVM would abort the process over a missing one."""
    llvm.load_library_permanently("")  # the process itself
    return llvm.address_of_symbol(external) is not None


def _digest(content: bytes) -> bytes:
    return sha256(content).hexdigest().encode()


_engines: list[llvm.ExecutionEngine] = []  # each owns the memory of the code it has loaded


def load(code: MachineCode) -> int:
    """Load machine code into this process, and return the function's address."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code.code))
    engine.finalize_object()
    _engines.append(engine)
    address: int = engine.get_function_address(code.symbol)
    return address
