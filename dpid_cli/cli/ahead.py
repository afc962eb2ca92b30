"""Make the archives of kernels that come with the package: ``python -m dpid_cli.cli.ahead [LEVEL...]``.

It compiles the kernels of `dpid warmup` for each level of CPUs, on any CPU, in a process for each of its
cores, and packs them (`dpid_cli.kernels.cache`). Run it when kernels have changed; a test says so.
"""

from __future__ import annotations

import os
import sys
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


def build(level: str) -> None:
    """Compile and pack the kernels of a level."""
    from dpid_cli.downscaling.devices import available_threads
    from dpid_cli.downscaling.warmup import cases, compile_all
    from dpid_cli.kernels import cache

    every = cases()
    with TemporaryDirectory() as folder:
        # Kernels that do not run leave arrays as they are, in which NumPy may find anything.
        os.environ |= {"DPID_CACHE_DIR": folder, "PYTHONWARNINGS": "ignore::RuntimeWarning"}
        done = 0
        for number, _, _ in compile_all(every, available_threads(), level):
            done += number
            sys.stderr.write(f"\r{level} {done}/{len(every)}")
        with ProcessPoolExecutor(1, get_context("spawn"), cache.build_for, (level,)) as other:
            other.submit(compile_others).result()
        files = sorted(Path(folder).rglob("*.o"))
        path = cache.write_archive(level, files)
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
