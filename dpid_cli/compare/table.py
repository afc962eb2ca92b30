"""The numbers of a study as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from statistics import fmean, stdev
from typing import Any

from dpid_cli.compare.metrics import Numbers
from dpid_cli.compare.study import Study

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
            row[i].ljust(width) if i == 0 else row[i].rjust(width) for i, width in zip(used, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def as_json(numbers: Numbers) -> dict[str, float | None]:
    """All numbers; null where one is infinite or not defined."""
    return {
        name: value if value is None or math.isfinite(value) else None for name, value in asdict(numbers).items()
    }


def csv_of(studies: Iterable[Study]) -> str:
    """A line for every input and variant, headed by the names of the fields."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["input", "width", "height", "variant", *FIELDS])
    for study in studies:
        for result in study.results:
            if result.numbers:
                values = [getattr(result.numbers, name) for name in FIELDS]
                told = ["" if value is None else f"{value:.10g}" for value in values]
                writer.writerow([study.source, *study.size, result.variant.word, *told])
    return out.getvalue()


def summary(many: Sequence[Numbers]) -> list[tuple[str, str]]:
    """Mean and standard deviation over images, as text, in the order of `HEADINGS`; of finite numbers only."""
    told = []
    for name, _, digits in _COLUMNS:
        values: list[Any] = [getattr(numbers, name) for numbers in many]
        finite = [value for value in values if value is not None and math.isfinite(value)]
        mean = formatted(fmean(finite), digits) if finite else ""
        told.append((mean, formatted(stdev(finite), digits) if len(finite) > 1 else ""))
    return told
