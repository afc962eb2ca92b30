"""Store machine code on disk and load it into memory, without Numba.

The cache folder is ``DPID_CACHE_DIR``, or ``dpid-cli`` in the user's cache folder. It has one subfolder for
each combination of Python, Numba, LLVM and CPU. A file holds one kernel for one combination of types: a
digest of the rest, a line of JSON and the object code. Its name has a digest of the kernel's sources, so an
edit recompiles what it touches. Files are replaced as a whole, so that several processes may write the same
file.

Compiled kernels also come with the package, so that a first run waits neither for a compiler nor for the
import of LLVM: an archive for each level of CPUs. It begins with a line of JSON: where the compressed files
of a cache lie in it, by their names. Machine code calls nothing of Python, NumPy or Numba, so their versions
do not matter.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from dpid_cli.platform import caches, is_private, lock

HERE = Path(__file__).parent
_IMPORTS = re.compile(rb"^ *from dpid_cli\.kernels(?:\.(\w+))? import (.*)", re.MULTILINE)
_WITHOUT_EFFECT = {"cache"}  # modules that do not change machine code
_FOLDER = re.compile(r"[0-9a-f]{16}")
_UNUSED = 90 * 86400  # seconds after which another subfolder is removed
_USED = "used"  # a file that was changed when a process last used the folder

_AHEAD = HERE / "ahead"
_FIRST_CPU = 2**13  # bytes of the description of CPUs, which takes long to read where there are many


class Level(NamedTuple):
    """CPUs that share compiled kernels.

    Attributes
    ----------
    triple : str
        Their architecture and system, as LLVM names them.
    cpu : str
        The CPU that LLVM compiles for.
    features : frozenset of str
        What they all have, as Linux names it, if not every CPU of the architecture has it.
    """

    triple: str
    cpu: str
    features: frozenset[str] = frozenset()


LEVELS = {
    "x86-64-v3": Level(
        "x86_64-unknown-linux-gnu",
        "x86-64-v3",
        frozenset({"abm", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}),
    ),
    "aarch64": Level("aarch64-unknown-linux-gnu", "generic"),
}
_build_level: Level | None = None


def build_for(level: str) -> None:
    """From now on, let this process compile for a level, whatever its CPU, and run no kernel.

    What it computes has no meaning then.
    """
    global _build_level  # noqa: PLW0603  # one per process, as the folder
    _build_level = LEVELS[level]
    for answer in folder, archive_here, index:
        answer.cache_clear()


def build_level() -> Level | None:
    """The level that this process compiles for; None if it compiles for its CPU and runs the code."""
    return _build_level


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
    return caches() / "dpid-cli"


@cache
def folder() -> Path | None:
    """The subfolder for this process, created if needed; None if it cannot be written or trusted."""
    with suppress(OSError, RuntimeError):  # no home
        path = base_folder().absolute() / _stamp()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(path, os.W_OK) and is_private(path):
            _note_use(path)
            return path
    return None


def _note_use(path: Path) -> None:
    """Mark a folder as used, about once a day, and remove those that have not been used for months."""
    mark = path / _USED
    now = time.time()
    if mark.exists() and now - mark.stat().st_mtime < 86400:
        return
    mark.touch()
    for other in path.parent.iterdir():
        if _FOLDER.fullmatch(other.name) and not other.is_symlink() and other != path:
            mark = other / _USED
            if now - (mark if mark.exists() else other).stat().st_mtime > _UNUSED:
                _remove(other)


def _remove(path: Path) -> None:
    from shutil import rmtree

    rmtree(path, ignore_errors=True)


def clear() -> None:
    """Remove all that this and other versions have cached."""
    with suppress(OSError, RuntimeError):
        for path in base_folder().absolute().iterdir():
            if _FOLDER.fullmatch(path.name) and not path.is_symlink():
                _remove(path)


def contents() -> list[Path]:
    """The files of this process's folder that hold kernels."""
    parent = folder()
    return [] if parent is None else sorted(parent.glob("*.o"))


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


def _stamp() -> str:
    """A short digest of all that machine code depends on, apart from the types of the arguments."""
    return sha256(b"\0".join(_circumstances())).hexdigest()[:16]


def _circumstances() -> Iterator[bytes]:
    import llvmlite

    llvm = _llvm()
    numba = find_spec("numba")
    if numba is not None and numba.origin is not None:
        yield Path(numba.origin).with_name("_version.py").read_bytes()
    yield llvmlite.__version__.encode()
    yield sys.version.encode()
    yield llvm.get_default_triple().encode()
    yield llvm.get_host_cpu_name().encode()
    yield llvm.get_host_cpu_features().flatten().encode()
    level = build_level()
    if level is not None:
        yield f"{level.triple} {level.cpu}".encode()
    for name, value in sorted(os.environ.items()):
        if name.startswith("NUMBA_"):
            yield f"{name}={value}".encode(errors="surrogateescape")


@cache
def sources(module: str) -> str:
    """A short digest of a module of this package and of all modules here that it imports."""
    found: dict[str, bytes] = {}
    waiting = {module}
    while waiting:
        name = waiting.pop()
        with suppress(OSError):
            found[name] = (HERE / f"{name}.py").read_bytes()
        for one, several in _IMPORTS.findall(found.get(name, b"")):
            names = {one} if one else {part.strip() for part in several.split(b",")}
            waiting |= {part.decode() for part in names} - found.keys() - _WITHOUT_EFFECT
    return sha256(b"\0".join(found[name] for name in sorted(found))).hexdigest()[:16]


def _file_name(name: str, key: tuple[Any, ...]) -> str | None:
    """What the file of a kernel is called; None if the kernel lies outside this package."""
    if not name.startswith(f"{__package__}."):
        return None
    short = name.removeprefix(f"{__package__}.")
    return f"{short}-{sources(short.split('.')[0])}-{sha256(repr(key).encode()).hexdigest()[:16]}.o"


def _path(name: str, key: tuple[Any, ...]) -> Path | None:
    """The file for a kernel; None if there is no folder, or the kernel lies outside this package."""
    parent, file = folder(), _file_name(name, key)
    return None if parent is None or file is None else parent / file


def read(name: str, key: tuple[Any, ...]) -> MachineCode | None:
    """Read the code of a kernel for arguments of these types; None if it is missing, damaged or unusable."""
    file = _file_name(name, key)
    if file and (code := _usable(shipped(file))):
        return code
    path = _path(name, key)
    with suppress(OSError):
        return _usable(path.read_bytes()) if path else None
    return None


def _usable(file: bytes) -> MachineCode | None:
    """The code in a file; None if it is damaged, or calls functions that are not there."""
    digest, _, content = file.partition(b"\n")
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
        import tempfile

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
        kernel, _, types = path.name.rsplit("-", 2)
        for older in path.parent.glob(f"{kernel}-*-{types}"):
            if older != path:
                older.unlink()


@contextmanager
def locked(name: str, key: tuple[Any, ...]) -> Iterator[None]:
    """Keep other processes from compiling the same kernel meanwhile, where the system can."""
    path = _path(name, key)
    stream = None
    with suppress(OSError):
        stream = None if path is None else path.with_suffix(".lock").open("w")
    if stream is None:
        yield
        return
    with stream:
        lock(stream.fileno())
        yield
        with suppress(OSError):
            Path(stream.name).unlink()


def _llvm() -> Any:
    """LLVM, which kernels of the package do without: its import takes 25 ms and 45 MB."""
    import llvmlite.binding

    return llvmlite.binding


def _is_here(external: str) -> bool:
    """Whether this process has the function. LLVM would abort the process over a missing one."""
    llvm = _llvm()
    llvm.load_library_permanently("")  # the process itself
    return llvm.address_of_symbol(external) is not None


def _digest(content: bytes) -> bytes:
    return sha256(content).hexdigest().encode()


_engines: list[Any] = []  # each owns the memory of the code it has loaded


def load(code: MachineCode) -> int:
    """Load machine code into this process, and return the function's address."""
    if not code.externals:
        objects = import_module(f"{__package__}.objects")  # by its name, as kernels do not depend on it
        with suppress(objects.RefusedError):
            loaded: int = objects.load(code.code, code.symbol)
            return loaded
    llvm = _llvm()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code.code))
    engine.finalize_object()
    _engines.append(engine)
    address: int = engine.get_function_address(code.symbol)
    return address


def archive(level: str) -> Path:
    """The archive of a level."""
    return _AHEAD / f"linux-{level}.kernels"


@cache
def archive_here() -> Path | None:
    """The archive for this machine; None if there is none, or if variables of Numba ask for other code."""
    if sys.platform != "linux" or build_level() or any(name.startswith("NUMBA_") for name in os.environ):
        return None
    for name, level in LEVELS.items():
        if _architecture(level.triple) == os.uname().machine and level.features <= cpu_features():
            return archive(name)
    return None


def cpu_features() -> frozenset[str]:
    """What the CPU has, as Linux names it on x86."""
    with suppress(OSError), Path("/proc/cpuinfo").open() as stream:
        listed = re.search(r"^flags\s*:(.*)", stream.read(_FIRST_CPU), re.MULTILINE)
        return frozenset(listed[1].split() if listed else ())
    return frozenset()


def _architecture(triple: str) -> str:
    return triple.partition("-")[0]


@cache
def index() -> tuple[int, dict[str, tuple[int, int]]]:
    """Where the files begin, and offset and length of each by its name."""
    path = archive_here()
    with suppress(OSError, ValueError):
        if path is not None:
            with path.open("rb") as stream:
                line = stream.readline()
            return len(line), json.loads(line)
    return 0, {}


def shipped_count() -> int:
    """How many kernels the package has for this machine, made of the sources that are here."""
    return sum(name.split("-")[1] == sources(name.split(".")[0]) for name in index()[1])


def shipped(name: str) -> bytes:
    """A file of the archive; nothing if it lacks the file, or is damaged."""
    begin, places = index()
    path = archive_here()
    if path is None or name not in places:
        return b""
    with suppress(OSError, TypeError, ValueError, zlib.error), path.open("rb") as stream:
        offset, length = places[name]
        stream.seek(begin + offset)
        return zlib.decompress(stream.read(length))
    return b""
