"""Make the archive of kernels that comes with the package: ``python -m dpid_cli.cli.ahead``.

It compiles the kernels of `dpid warmup` for a level of CPUs, in a process for each CPU, and packs
them (`dpid_cli.kernels.cache`). Run it when kernels have changed; a test says so.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory


def compile_others() -> None:
    """Compile the kernels of file formats and of learning, or load them from disk."""
    from dpid_cli.learning import gradients
    from dpid_cli.pictures import FORMATS

    for format_ in FORMATS.values():
        format_.compile_kernels()
    gradients.compile_kernels()


def main() -> None:
    """Compile and pack the kernels of every level."""
    from dpid_cli.downscaling.devices import available_threads
    from dpid_cli.downscaling.warmup import cases, compile_all
    from dpid_cli.kernels import cache

    every = cases()
    for level in cache.LEVELS:
        with TemporaryDirectory() as folder:
            os.environ |= {"DPID_CACHE_DIR": folder, "NUMBA_CPU_NAME": level, "NUMBA_CPU_FEATURES": ""}
            done = 0
            for number, _, _ in compile_all(every, max(2, available_threads())):  # not in this process
                done += number
                sys.stderr.write(f"\r{level} {done}/{len(every)}")
            compile_others()
            files = sorted(Path(folder).rglob("*.o"))
            path = cache.write_archive(level, files)
        sys.stderr.write(f"\n{path}: {len(files)} kernels, {path.stat().st_size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
