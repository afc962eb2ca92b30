"""Format the numbers of a comparison as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from dpid_cli.compare.cells import text_cell
from dpid_cli.compare.metrics import Numbers, PlainNumbers

if TYPE_CHECKING:
    from dpid_cli.compare.comparison import Comparison

# Field, heading in two lines, digits after the decimal point, and by what the number is multiplied.
_COLUMNS = (
    ("detail_kept", ("detail kept", "%"), 1, 100),
    ("noise_added", ("noise added", "of 255"), 2, 255),
    ("likeness", ("likeness", "to input"), 3, 1),
    ("ssim", ("SSIM", ""), 4, 1),
    ("psnr", ("PSNR", "dB"), 2, 1),
    ("ms_ssim", ("MS-SSIM", ""), 4, 1),
    ("flip", ("FLIP", ""), 4, 1),
    ("contrast_to_box", ("contrast", "÷ box"), 3, 1),
    ("contrast_to_input", ("contrast", "÷ input"), 3, 1),
    ("gradient_to_box", ("gradient", "÷ box"), 2, 1),
    ("gradient_to_input", ("gradient", "÷ input"), 2, 1),
    ("noise_gain", ("noise", "÷ box"), 2, 1),
    ("seconds", ("time", "s"), 3, 1),
    ("megapixels_per_second", ("speed", "MP/s"), 1, 1),
)
PLAIN = 3  # so many columns answer what most people want to know; the others are for a closer look
HEADINGS = tuple(heading for _, heading, *_ in _COLUMNS)
MEANINGS = (
    ("detail kept", "Local contrast of the output, as a part of the input's. More than 100 % exaggerates."),
    ("noise added", "How much noisier than box flat areas are, in levels of 255."),
    ("likeness to input", "SSIM of the input and the output with pixels as large as its windows; at most 1."),
    ("SSIM, PSNR, MS-SSIM", "Similarity of the input and the output, enlarged by bilinear interpolation."),
    ("FLIP", "Difference of the same that people see when the two alternate; 0 if they are equal."),
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
    text = f"{value:.{digits}f}" if value < 1000 else f"{value:.0f}"
    return text.removeprefix("-") if not float(text) else text


def cells_of(numbers: Numbers) -> list[str]:
    """The numbers as text, in the order of `HEADINGS`."""
    return [_shown(getattr(numbers, name), digits, factor) for name, _, digits, factor in _COLUMNS]


def plain_cells_of(numbers: Numbers | PlainNumbers) -> list[str]:
    """The plain numbers as text, in the order of the first of `HEADINGS`."""
    return [_shown(getattr(numbers, name), *rest) for name, _, *rest in _COLUMNS[:PLAIN]]


def _shown(value: float | None, digits: int, factor: float) -> str:
    return formatted(None if value is None else value * factor, digits)


def best_of(numbers: Sequence[Numbers | PlainNumbers]) -> list[set[int]]:
    """Which of several outputs are best, by index, for each plain column; equal texts are equally good.

    Best are the detail nearest to that of the input, the least noise, and the greatest likeness.
    """
    judges: tuple[Callable[[float], float], ...] = (lambda v: abs(v - 1), lambda v: v, lambda v: -v)
    best = []
    for i, ((name, *_), judge) in enumerate(zip(_COLUMNS, judges, strict=False)):
        known = [(judge(v), n) for n, one in enumerate(numbers) if (v := getattr(one, name)) is not None]
        texts = [plain_cells_of(one)[i] for one in numbers]
        least = min(known, default=None)
        best.append({n for _, n in known if least and texts[n] == texts[least[1]]})
    return best


def lines_of(comparison: Comparison, width: int | None = None) -> list[str]:
    """The table for a terminal: the plain columns, and as many others as fit into `width` characters."""
    rows = [("", *(" ".join(heading).strip() for heading in HEADINGS))]
    rows += [(r.variant.label, *cells_of(r.numbers)) for r in comparison.results if r.numbers]
    used, widths, total = [], [], 0
    for i in range(len(rows[0])):
        own = max(len(row[i]) for row in rows)
        if i and not any(row[i] for row in rows[1:]):
            continue
        total += own + (2 if i else 0)
        if width and i > PLAIN and total > width:
            break
        used.append(i)
        widths.append(own)
    return [
        "  ".join(
            row[i].ljust(own) if i == 0 else row[i].rjust(own) for i, own in zip(used, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def as_json(numbers: Numbers | PlainNumbers) -> dict[str, float | None]:
    """All numbers by name, as they are measured; None (null in JSON) where one is infinite or not defined."""
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
        source, word = text_cell(comparison.source), text_cell(result.variant.word)
        rows.append([source, *map(str, comparison.size), word, *texts])
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
    for name, _, digits, factor in _COLUMNS:
        values = [getattr(image, name) for image in numbers]
        finite = [value * factor for value in values if value is not None and math.isfinite(value)]
        mean = formatted(fmean(finite), digits) if finite else ""
        texts.append((mean, formatted(stdev(finite), digits) if len(finite) > 1 else ""))
    return texts
