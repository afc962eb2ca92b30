"""dpid info: versions and abilities of this installation."""

from __future__ import annotations

import json
import os
import platform

import click

from dpid_cli.cli.options import DEBUG
from dpid_cli.cli.sections import Command, option

_PACKAGES = ("dpid-cli", "numpy", "numba", "numba-cuda", "llvmlite", "pillow", "click", "scikit-image")


@click.command(
    "info", cls=Command, params=[option("--json", "Print one JSON object.", name="as_json"), DEBUG]
)
def command(as_json: bool, debug: bool) -> None:
    """Show versions, file formats, threads, GPU and kernel cache."""
    found = facts()
    if as_json:
        click.echo(json.dumps(found))
        return
    width = max(map(len, found))
    for name, value in found.items():
        click.echo(f"{name:{width}}  {value}")


def facts() -> dict[str, str]:
    """Everything that `dpid info` shows, by name."""
    from importlib.util import find_spec

    import dpid_cli.downscaling.api  # noqa: F401  # with its kernels
    from dpid_cli.downscaling.devices import available_threads
    from dpid_cli.kernels.jit import cache_folder
    from dpid_cli.pictures import FORMATS, WRITTEN

    found = {name: _version(name) for name in _PACKAGES}
    found["python"] = f"{platform.python_version()} ({platform.system()} {platform.machine()})"
    lacking = [f for f in FORMATS.values() if find_spec(f.plugin) is None]
    found["reads"] = " ".join(f.name for f in FORMATS.values() if f not in lacking)
    found["writes"] = " ".join(f.name for f in WRITTEN.values() if f not in lacking)
    if lacking:
        found["lacking"] = " ".join(f.name for f in lacking) + ': pip install "dpid-cli[formats]"'
    found["threads"] = str(available_threads())
    found["threading layer"] = "Python threads over kernels that release the GIL"
    found["cuda"] = _gpu()
    uncached = "none: no writable folder, every process compiles its kernels"
    found["kernel cache"] = cache_folder() or uncached
    found["cache variable"] = os.environ.get("DPID_CACHE_DIR", "DPID_CACHE_DIR is not set")
    return found


def _gpu() -> str:
    """The GPU that dpid can use, or why it can use none."""
    from dpid_cli.downscaling.devices import gpu_trouble

    if (trouble := gpu_trouble()) is not None:
        return f"none: {trouble}"
    from dpid_cli.downscaling.gpu.arrays import description

    return description()


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
