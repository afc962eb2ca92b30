"""Make the archives of kernels that come with the package: ``python -m dpid_cli.cli.ahead [LEVEL...]``.

It compiles the kernels of `dpid warmup` for each level of CPUs, on any CPU, in a process for each of its
cores, and packs them (`dpid_cli.kernels.cache`). Kernels whose sources have not changed are kept. Run it when
kernels or the cases of the warm-up have changed; a test says so.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory


def compile_others() -> None:
    """Compile the kernels of file formats and of learning, or load them from disk."""
    from dpid_cli.learning import gradients
    from dpid_cli.pictures import FORMATS

    for format_ in FORMATS.values():
        format_.compile_kernels()
    gradients.compile_kernels()


def pack(path: Path, files: Iterable[Path]) -> None:
    """Make an archive of files of the cache."""
    places, content = {}, b""
    for file in files:
        packed = zlib.compress(file.read_bytes(), 9)
        places[file.name] = len(content), len(packed)
        content += packed
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(json.dumps(places).encode() + b"\n" + content)


def unpack(path: Path) -> None:
    """Put the kernels of an archive into the cache, but for those whose sources have changed."""
    from dpid_cli.kernels import cache

    folder = cache.folder()
    if folder is None or not path.exists():
        return
    line, content = path.read_bytes().split(b"\n", 1)
    for name, (offset, length) in json.loads(line).items():
        if name.split("-")[1] == cache.sources(name.split(".")[0]):
            (folder / name).write_bytes(zlib.decompress(content[offset : offset + length]))


def build(level: str) -> None:
    """Compile and pack the kernels of a level."""
    from dpid_cli.downscaling.warmup import cases, compile_all
    from dpid_cli.kernels import cache
    from dpid_cli.platform import cpus

    every = cases()
    with TemporaryDirectory() as folder:
        # Kernels that do not run leave arrays as they are, in which NumPy may find anything.
        os.environ |= {"DPID_CACHE_DIR": folder, "PYTHONWARNINGS": "ignore::RuntimeWarning"}
        done = 0
        with ProcessPoolExecutor(1, get_context("spawn"), cache.build_for, (level,)) as other:
            other.submit(unpack, cache.archive(level)).result()
            for number, _, _ in compile_all(every, cpus(), level):
                done += number
                sys.stderr.write(f"\r{level} {done}/{len(every)}")
            other.submit(compile_others).result()
        files = sorted(Path(folder).rglob("*.o"))
        path = cache.archive(level)
        pack(path, files)
    sys.stderr.write(f"\n{path}: {len(files)} kernels, {path.stat().st_size / 1e6:.1f} MB\n")


def main() -> None:
    """Build the archives of the levels that the arguments name, or of all."""
    from dpid_cli.kernels import cache

    for level in sys.argv[1:] or cache.LEVELS:
        if level not in cache.LEVELS:
            sys.exit(f"{level}: unknown level: choose from {', '.join(cache.LEVELS)}")
        build(level)


if __name__ == "__main__":
    main()
