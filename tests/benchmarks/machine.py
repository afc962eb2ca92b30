"""The machine and the versions that were measured; no names of hosts or paths."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dpid_cli.platform import cpus

from .markdown import MISSING, Section, table
from .measure import Plan

PACKAGES = (
    "dpid-cli",
    "numpy",
    "numba",
    "numba-cuda",
    "llvmlite",
    "pillow",
    "opencv-python-headless",
    "cykooz-resizer",
    "pepedpid",
    "pyvips",
    "simplejpeg",
)


def machine(plan: Plan) -> Section:
    """The first section."""
    rows = [
        ["date", datetime.datetime.now(datetime.UTC).date().isoformat()],
        ["commit", _commit()],
        ["CPU", _cpu()],
        ["available cores", str(cpus())],
        ["memory", f"{_memory_bytes() / 1e9:.0f} GB"],
        ["system", f"{platform.system()} {platform.machine()}"],
        [platform.python_implementation(), platform.python_version()],
        *([name, _version(name)] for name in PACKAGES),
        ["libvips", _libvips()],
    ]
    note = (
        "\n\nA quick run: few rounds of some cases. Do not compare it with other runs." if plan.quick else ""
    )
    return Section("Machine and versions", table(["item", "value"], rows) + note)


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--tags"]
    try:
        found = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found or "unknown"


def _cpu() -> str:
    """The model, and the CPU that LLVM compiles for."""
    import llvmlite.binding as llvm

    model = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        lines = described.read_text(encoding="utf-8", errors="replace").splitlines()
        model = next(
            (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model
        )
    return f"{model} (LLVM: {llvm.get_host_cpu_name()})"


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return MISSING


def _libvips() -> str:
    try:
        import pyvips
    except (ImportError, OSError):
        return MISSING
    return ".".join(str(pyvips.version(part)) for part in range(3))
