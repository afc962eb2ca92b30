"""Compare the results of two commits byte by byte.

Make digests with each checkout, then compare them::

    PYTHONPATH=/path/to/old python tests/support/digests.py make old.json
    PYTHONPATH=/path/to/new python tests/support/digests.py make new.json
    python tests/support/digests.py compare old.json new.json

``make`` imports the ``dpid_cli`` that Python finds first. It downscales arrays of every method, type, number
of channels and kind of size. Then it runs ``dpid downscale`` on every file of a folder with several options
and output formats, and ``dpid batch`` on the whole folder: on ``samples``, or on the one that
``--images FOLDER`` names. This takes about ten minutes. ``--only arrays`` and ``--only files`` make one half.

``compare`` prints what differs and exits with status 1 if anything does. A digest consists of type, shape
and content of an array, or of exit code, number of lines on standard error and content of a file.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

import dpid_cli
from dpid_cli.cli import main as dpid

SAMPLES = Path(__file__).parents[2] / "samples"
# Larger files are run with few options only; in bytes.
SMALL = 200_000

# Parameters that are set where a method takes them, besides its defaults.
SETTINGS: tuple[dict[str, Any], ...] = (
    {"lambda_": 0.0},
    {"lambda_": 0.5},
    {"lambda_": 0.7, "alpha": 0.1},
    {"lambda_": 2.0},
    {"lambda_": 2.3, "variant": "asym"},
    {"lambda_": 8.0},
    {"alpha": 0.2, "normalize": "mean"},
    {"guidance": "box"},
    {"guidance": "gaussian"},
    {"guidance": "photo"},
    {"window": 7},
    {"beta": 0.2},
    {"power": 1.0},
    {"power": 3.0},
    {"form": "expected"},
    {"seed": 5},
    {"position": "centre"},
)
# The last two fit only methods that take any size.
SIZES: tuple[dict[str, Any], ...] = (
    {"scale": 2},
    {"scale": 4},
    {"size": (46, 15)},
    {"scale": 2.7},
    {"size": (92, 20)},
    {"size": (1, 1)},
)
OPTIONS = (
    "",
    "--linear",
    "--to-srgb",
    "--depth 16",
    "--depth 8",
    "--transparency drop --background #204060",
    "--transparency separate -m lanczos",
    "--metadata strip",
    "--metadata colour",
    "--truncated accept",
    "--frame -1",
    "-m max",
    "-m dpp --guidance gaussian",
)
FORMATS = (".png", ".tif", ".jpg", ".webp", ".gif", ".jp2", ".avif", ".jxl", ".bmp", ".heic")
BATCH = "-s 2 -s 3 -m dpid -m box --if-smaller copy --hr hr --multiple-of 2"


def digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=10).hexdigest()


def images() -> Iterator[tuple[str, np.ndarray]]:
    """Noise with a flat rectangle, 92 x 60, by type and number of channels (0: two dimensions)."""
    rng = np.random.default_rng(1)
    for dtype in "uint8", "uint16", "float32", "float64":
        for channels in range(5):
            levels = rng.integers(0, 65536, (60, 92) + ((channels,) if channels else ()), np.uint16)
            levels[20:40, 30:60] = 30000
            yield f"{dtype} {channels}", _converted(levels, dtype)


def _converted(levels: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "uint8":
        return (levels >> 8).astype(np.uint8)
    return levels if dtype == "uint16" else (levels / 65535).astype(dtype)


def array_digests() -> Iterator[tuple[str, str]]:
    """Digests of what `downscale` returns; the name of the error where it raises one."""
    for kind, image in images():
        for name, method in dpid_cli.METHODS.items():
            taken = [{}, *(setting for setting in SETTINGS if set(setting) <= set(method.defaults))]
            for setting in taken:
                for size in SIZES:
                    key = f"array {kind} {name} {setting} {size}"
                    yield key, _array_digest(image, name, **setting, **size)
                    if not setting:
                        yield f"{key} linear", _array_digest(image, name, linear=True, **size)


def _array_digest(image: np.ndarray, method: str, **options: Any) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = dpid_cli.downscale(image, method=method, threads=2, **options)
    except dpid_cli.DpidError as error:
        return type(error).__name__
    return f"{result.dtype} {result.shape} {digest(np.ascontiguousarray(result).tobytes())}"


def file_digests(folder: Path) -> Iterator[tuple[str, str]]:
    """Digests of the files that `dpid downscale` and `dpid batch` write; runs in the current folder."""
    sources = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".md")
    for source in sources:
        small = source.stat().st_size < SMALL
        for options in OPTIONS if small else OPTIONS[:2]:
            suffixes = (source.suffix, *FORMATS) if small and not options else (source.suffix, ".png")
            for suffix in dict.fromkeys(suffixes):
                yield (
                    f"file {source.name} {options} {suffix}",
                    _file_digest(source, options, Path(f"out{suffix}")),
                )
    yield "batch", run([*f"batch {BATCH}".split(), str(folder), "small"])
    for path in sorted(path for path in Path().rglob("*") if path.is_file()):
        yield f"batch {path}", digest(path.read_bytes())


def _file_digest(source: Path, options: str, target: Path) -> str:
    target.unlink(missing_ok=True)
    outcome = run(["downscale", str(source), "-s", "2", *options.split(), "-o", str(target), "--overwrite"])
    made = digest(target.read_bytes()) if target.exists() else "no file"
    target.unlink(missing_ok=True)
    return f"{outcome} {made}"


def run(arguments: list[str]) -> str:
    """The exit code of a command, and how many lines it wrote to standard error."""
    result = CliRunner().invoke(dpid, arguments, prog_name="dpid")
    return f"exit {result.exit_code}, {len(result.stderr.splitlines())} lines"


def make(target: Path, folder: Path, only: str | None) -> None:
    """Write all digests as one JSON object."""
    found: dict[str, str] = {}
    if only != "files":
        found |= array_digests()
    if only != "arrays":
        folder = folder.resolve()
        with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
            found |= file_digests(folder)
    target.write_text(json.dumps(found, indent=0), encoding="utf-8")
    print(f"{len(found)} digests of {Path(dpid_cli.__file__).parent}")


def compare(first: Path, second: Path) -> int:
    """Print keys whose digests differ or that only one file has; return the exit status."""
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (first, second))
    differing = [key for key in sorted(old.keys() & new.keys()) if old[key] != new[key]]
    for key in differing:
        print(f"{key}: {old[key]} -> {new[key]}")
    alone = sorted(old.keys() ^ new.keys())
    for key in alone:
        print(f"{key}: only in {first if key in old else second}")
    print(f"{len(old.keys() & new.keys())} compared, {len(differing)} differ, {len(alone)} only in one")
    return 1 if differing or alone else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare the results of two commits byte by byte.")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="digest what the importable dpid_cli makes")
    making.add_argument("output", type=Path, metavar="OUT.json")
    making.add_argument(
        "--images", type=Path, default=SAMPLES, metavar="FOLDER", help="images for the command"
    )
    making.add_argument("--only", choices=["arrays", "files"])
    comparing = commands.add_parser("compare", help="print what differs")
    comparing.add_argument("first", type=Path, metavar="OLD.json")
    comparing.add_argument("second", type=Path, metavar="NEW.json")
    options = parser.parse_args()
    if options.command == "compare":
        return compare(options.first, options.second)
    make(options.output.resolve(), options.images, options.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
