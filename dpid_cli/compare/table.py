"""The numbers of a study as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean, stdev
from typing import Any

from dpid_cli.compare.metrics import Numbers
from dpid_cli.compare.study import Study
from dpid_cli.compare.variants import Variant
from dpid_cli.downscaling.sizes import Size

# Field, heading in two lines, digits behind the point.
_COLUMNS = (
    ("ssim", ("SSIM", ""), 4),
    ("psnr", ("PSNR", "dB"), 2),
    ("contrast_to_box", ("contrast", "÷ box"), 3),
    ("contrast_to_input", ("contrast", "÷ input"), 3),
    ("gradient_to_box", ("gradient", "÷ box"), 2),
    ("gradient_to_input", ("gradient", "÷ input"), 2),
    ("noise_gain", ("noise", "÷ box"), 2),
    ("seconds", ("time", "s"), 3),
    ("megapixels_per_second", ("speed", "MP/s"), 1),
)
HEADINGS = tuple(heading for _, heading, _ in _COLUMNS)
MEANINGS = (
    (
        "SSIM, PSNR",
        "The result, enlarged to the size of the input by bilinear interpolation, against the input.",
    ),
    (
        "contrast",
        "Standard deviation of the lightness, as a ratio to that of the box-filtered result or the input.",
    ),
    ("gradient", "Mean squared difference between neighbouring pixels, as ratios likewise."),
    (
        "noise",
        "Standard deviation of the lightness in the flattest blocks of 8 by 8 pixels, as a ratio to box.",
    ),
    (
        "time, speed",
        "Of downscaling alone, and megapixels of the input in a second. They vary from run to run.",
    ),
)
FIELDS = tuple(field.name for field in fields(Numbers))


def formatted(value: float | None, digits: int) -> str:
    """A number with so many digits behind the point, fewer where it is large; empty for None."""
    if value is None:
        return ""
    if math.isinf(value):
        return "∞"
    return f"{value:.{digits}f}" if value < 1000 else f"{value:.0f}"


def cells_of(numbers: Numbers) -> list[str]:
    """The numbers that tables show, in the order of `HEADINGS`."""
    return [formatted(getattr(numbers, name), digits) for name, _, digits in _COLUMNS]


def lines_of(study: Study) -> list[str]:
    """The table for a terminal."""
    rows = [("", *(" ".join(heading).strip() for heading in HEADINGS))]
    rows += [(r.variant.label, *cells_of(r.numbers)) for r in study.results if r.numbers]
    used = [i for i in range(len(rows[0])) if i == 0 or any(row[i] for row in rows[1:])]
    widths = [max(len(row[i]) for row in rows) for i in used]
    return [
        "  ".join(
            row[i].ljust(width) if i == 0 else row[i].rjust(width)
            for i, width in zip(used, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def as_json(numbers: Numbers) -> dict[str, float | None]:
    """All numbers; null where one is infinite or not defined."""
    return {
        name: value if value is None or math.isfinite(value) else None
        for name, value in asdict(numbers).items()
    }


@dataclass(frozen=True)
class Measured:
    """The numbers of one image, in the order of the variants."""

    source: str
    size: Size
    variants: tuple[Variant, ...]
    numbers: tuple[Numbers, ...]


def measured(study: Study) -> Measured:
    """The numbers of a study, without its pictures."""
    pairs = [(result.variant, result.numbers) for result in study.results if result.numbers]
    return Measured(study.source, study.size, tuple(v for v, _ in pairs), tuple(n for _, n in pairs))


def csv_of(images: Iterable[Measured]) -> str:
    """A line for every input and variant, headed by the names of the fields."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["input", "width", "height", "variant", *FIELDS])
    for image in images:
        for variant, numbers in zip(image.variants, image.numbers, strict=True):
            values = [getattr(numbers, name) for name in FIELDS]
            told = ["" if value is None else f"{value:.10g}" for value in values]
            writer.writerow([image.source, *image.size, variant.word, *told])
    return out.getvalue()


def summary(many: Sequence[Numbers]) -> list[tuple[str, str]]:
    """Mean and standard deviation over images as text, in the order of `HEADINGS`; finite numbers only."""
    told = []
    for name, _, digits in _COLUMNS:
        values: list[Any] = [getattr(numbers, name) for numbers in many]
        finite = [value for value in values if value is not None and math.isfinite(value)]
        mean = formatted(fmean(finite), digits) if finite else ""
        told.append((mean, formatted(stdev(finite), digits) if len(finite) > 1 else ""))
    return told
