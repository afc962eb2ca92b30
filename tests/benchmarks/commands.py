"""The sections about whole commands: processes from start to end, with compiled kernels in the cache."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from dpid_cli.pictures import FORMATS

from .library import GROWTH, enlarged
from .markdown import Facts, Section, medians, milliseconds, number, table, times
from .measure import Plan, Samples, alternate, ratio

DPID = str(Path(sys.executable).with_name("dpid"))
LAUNCHER = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py"))]

# What you would write to apply a box filter once.
PILLOW_SCRIPT = """
import sys
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
with Image.open(sys.argv[1]) as image:
    image.reduce(4).save(sys.argv[2], **{options!r})
"""
# The same with the fastest decoder for Python.
SIMPLEJPEG_SCRIPT = """
import sys
import simplejpeg
from PIL import Image

with open(sys.argv[1], "rb") as stream:
    image = Image.fromarray(simplejpeg.decode_jpeg(stream.read()))
image.reduce(4).save(sys.argv[2], **{options!r})
"""

# Each does what the one before it does, and one step more; the last downscales two small arrays.
STEPS = {
    "start Python": "",
    "import click": "import click",
    "import NumPy": "import click, numpy",
    "import LLVM": "import click, numpy, llvmlite.binding",
    "import dpid": "import click; from dpid_cli.downscaling.api import downscale",
    "load and call the kernels for gray": """
import click, numpy
from dpid_cli.downscaling.api import downscale

downscale(numpy.zeros((512, 512), numpy.uint8), scale=4)
""",
    "load and call those for colour, too": """
import click, numpy
from dpid_cli.downscaling.api import downscale

downscale(numpy.zeros((512, 512), numpy.uint8), scale=4)
downscale(numpy.zeros((512, 512, 3), numpy.uint8), scale=4)
""",
}
_STEPS = (
    "Each of these programs does what the one above it does, and one step more. Decoding and encoding of "
    "files come on top, and overlap with these steps."
)

OURS, PILLOW, SIMPLEJPEG = "dpid", "Pillow script", "simplejpeg and Pillow"
SMALL, IMPORTS = "dpid, 512x512", "Python importing click, NumPy and Pillow"


@dataclass(frozen=True)
class Usage:
    """Seconds and bytes of some runs of one command."""

    wall: Samples
    processor: Samples
    peak: Samples


def run_once(command: list[str], environment: Mapping[str, str] | None = None) -> dict[str, float]:
    """Seconds and bytes of one run; raises an error if it fails."""
    done = subprocess.run([*LAUNCHER, *command], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"a command to measure failed with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def measure(commands: Mapping[str, list[str]], rounds: int) -> dict[str, Usage]:
    """Run all commands in turn; the first round fills the caches and does not count."""
    calls: dict[str, Callable[[], dict[str, float]]] = {
        name: partial(run_once, command) for name, command in commands.items()
    }
    return {
        name: Usage(*(Samples(tuple(r[key] for r in runs)) for key in ("wall", "processor", "peak")))
        for name, runs in alternate(calls, rounds).items()
    }


def walls(what: str, usages: Mapping[str, Usage]) -> Facts:
    """Medians of wall-clock times."""
    return medians(what, {name: usage.wall for name, usage in usages.items()})


def usage_table(usages: Mapping[str, Usage], reference: str) -> str:
    """Times, peak memory, and ratios of times to the reference."""
    rows = [
        [
            name,
            milliseconds(usage.wall),
            milliseconds(usage.processor),
            number(usage.peak.median / 1e6),
            times(ratio(usage.wall, usages[reference].wall)),
        ]
        for name, usage in usages.items()
    ]
    return table(["command", "wall ms", "user + system ms", "peak MB", f"wall ratio to {reference}"], rows)


class Workshop:
    """A folder with images and scripts for the commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def photo(self, name: str, size: tuple[int, int]) -> str:
        path = self.folder / name
        Image.fromarray(enlarged(size)).save(path, quality=90)
        return str(path)

    def reduce(self, image: str) -> dict[str, list[str]]:
        """The commands that downscale a file to a quarter, with the same settings for PNG."""
        target = str(self.folder / "ours.png")
        return {
            PILLOW: self._script("pillow", PILLOW_SCRIPT, image),
            OURS: [DPID, "downscale", image, "-s", "4", "-o", target, "--overwrite", "--quiet"],
        }

    def reduce_with_simplejpeg(self, image: str) -> dict[str, list[str]]:
        """The command of those who know a faster decoder, if it is installed."""
        if find_spec("simplejpeg") is None:
            return {}
        return {SIMPLEJPEG: self._script("simplejpeg", SIMPLEJPEG_SCRIPT, image)}

    def _script(self, name: str, source: str, image: str) -> list[str]:
        path = self.folder / f"reduce_by_{name}.py"
        path.write_text(source.format(options=FORMATS["png"].options), encoding="utf-8")
        return [sys.executable, str(path), image, str(self.folder / f"{name}.png")]


def commands(plan: Plan) -> Section:
    """A photo from file to file, the start of a process, and memory."""
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(Path(folder))
        parts = [_photos(shop, plan), _start(shop, plan)]
    text = (
        "Processes from start to end, with their peak memory as the system counts it (1 MB is 10^6 bytes). "
        "They use all threads. Compiled kernels are on disk, and files in the system's cache."
    )
    facts = {key: value for part in parts for key, value in part.facts.items()}
    bodies = (f"### {part.title}\n\n{part.body}" for part in parts)
    return Section("Whole commands", "\n\n".join([text, *bodies]), facts)


def _photos(shop: Workshop, plan: Plan) -> Section:
    """JPEG to PNG, and memory compared with the size of the decoded image."""
    rounds = plan.rounds(9)
    bodies: list[str] = []
    facts: Facts = {}
    memory: list[list[str]] = []
    for megapixels in plan.choose((4, 24, 96), (4, 24)):
        size = GROWTH[megapixels]
        photo = shop.photo("photo.jpg", size)
        runs = shop.reduce(photo)
        if megapixels == 24:
            runs |= shop.reduce_with_simplejpeg(photo)
        usages = measure(runs, rounds if megapixels == 24 else plan.rounds(3))
        decoded, peak = size[0] * size[1] * 3 / 1e6, usages[OURS].peak.median / 1e6
        facts[f"{megapixels} MP", "decoded MB"], facts[f"{megapixels} MP", "peak MB"] = decoded, peak
        pillow = usages[PILLOW].peak.median / 1e6
        memory.append(
            [f"{megapixels} MP", *map(number, (decoded, peak, pillow)), f"{number(peak / decoded)}"]
        )
        if megapixels == 24:
            facts |= walls("24 MP JPEG", usages)
            bodies.append(f"24-MP JPEG to PNG at 1/4, {rounds} rounds:\n\n{usage_table(usages, PILLOW)}")
    header = [
        "JPEG",
        "decoded MB",
        "peak MB of dpid",
        "peak MB of the Pillow script",
        "ratio of dpid to decoded",
    ]
    bodies.append(f"Peak memory:\n\n{table(header, memory)}")
    options = (
        ", ".join(f"{key}={value}" for key, value in FORMATS["png"].options.items()) or "Pillow's defaults"
    )
    text = (
        "The Pillow script decodes, calls `Image.reduce(4)` and encodes with the settings for PNG that "
        f"`dpid` uses ({options}), which make the same images equally large. Its output contains less detail "
        "and takes less time to encode. Another script decodes with simplejpeg."
    )
    return Section("Photo", "\n\n".join([text, *bodies]), facts)


def _start(shop: Workshop, plan: Plan) -> Section:
    """A small image, for which a run consists of little but its start."""
    rounds = plan.rounds(11)
    small = shop.reduce(shop.photo("small.png", (512, 512)))
    usages = measure(
        {
            IMPORTS: [sys.executable, "-c", "import click, numpy; from PIL import Image"],
            SMALL: small[OURS],
            "Pillow script, 512x512": small[PILLOW],
        },
        rounds,
    )
    steps = measure({name: [sys.executable, "-c", code] for name, code in STEPS.items()}, rounds)
    text = f"512x512 PNG to PNG at 1/4, {rounds} rounds."
    parts = [text, usage_table(usages, IMPORTS), _STEPS, steps_table(steps)]
    return Section("Start", "\n\n".join(parts), walls("start", usages) | walls("steps", steps))


def steps_table(steps: Mapping[str, Usage]) -> str:
    """Time and memory of programs, each of which does a little more than the one before it."""
    rows = []
    before = 0.0
    for name, usage in steps.items():
        wall = usage.wall.median * 1e3
        rows.append([name, milliseconds(usage.wall), number(wall - before), number(usage.peak.median / 1e6)])
        before = wall
    return table(["step", "wall ms", "added ms", "peak MB"], rows)
