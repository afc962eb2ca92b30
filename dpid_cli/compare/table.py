"""Format the numbers of a comparison as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from dpid_cli.compare.metrics import Numbers

if TYPE_CHECKING:
    from dpid_cli.compare.comparison import Comparison

# Field, heading in two lines, digits after the decimal point.
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
    ("SSIM, PSNR", "Similarity of input and output, the latter enlarged by bilinear interpolation."),
    ("contrast", "Standard deviation of the lightness, relative to that of box or of the input."),
    ("gradient", "Mean squared difference between neighbouring pixels, relative to box or to the input."),
    ("noise", "Standard deviation of the lightness in the flattest blocks of 8x8 pixels, relative to box."),
    ("time, speed", "Of downscaling alone; speed counts pixels of the input. They vary from run to run."),
)
FIELDS = tuple(field.name for field in fields(Numbers))


def formatted(value: float | None, digits: int) -> str:
    """A number with so many decimals, none from 1000 on; empty for None."""
    if value is None:
        return ""
    if math.isinf(value):
        return "∞"
    return f"{value:.{digits}f}" if value < 1000 else f"{value:.0f}"


def cells_of(numbers: Numbers) -> list[str]:
    """The numbers as text, in the order of `HEADINGS`."""
    return [formatted(getattr(numbers, name), digits) for name, _, digits in _COLUMNS]


def lines_of(comparison: Comparison) -> list[str]:
    """The table for a terminal."""
    rows = [("", *(" ".join(heading).strip() for heading in HEADINGS))]
    rows += [(r.variant.label, *cells_of(r.numbers)) for r in comparison.results if r.numbers]
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
    """All numbers by name; None (null in JSON) where one is infinite or not defined."""
    return {
        name: value if value is None or math.isfinite(value) else None
        for name, value in asdict(numbers).items()
    }


def rows_of(comparison: Comparison) -> list[list[str]]:
    """The rows of a CSV table: one for each variant."""
    rows = []
    for result in comparison.results:
        values = [getattr(result.numbers, name) for name in FIELDS]
        texts = ["" if value is None else f"{value:.10g}" for value in values]
        rows.append([comparison.source, *map(str, comparison.size), result.variant.word, *texts])
    return rows


def csv_of(rows: Iterable[Sequence[str]]) -> str:
    """A CSV table of rows, below the names of the fields."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["input", "width", "height", "variant", *FIELDS])
    writer.writerows(rows)
    return out.getvalue()


def summary(numbers: Sequence[Numbers]) -> list[tuple[str, str]]:
    """Mean and standard deviation over images as text, in the order of `HEADINGS`; finite numbers only."""
    texts = []
    for name, _, digits in _COLUMNS:
        values = [getattr(image, name) for image in numbers]
        finite = [value for value in values if value is not None and math.isfinite(value)]
        mean = formatted(fmean(finite), digits) if finite else ""
        texts.append((mean, formatted(stdev(finite), digits) if len(finite) > 1 else ""))
    return texts
