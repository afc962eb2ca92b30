"""What the README says about speed is what the benchmarks have measured."""

from __future__ import annotations

import re

from support.pages import PAGES

SENTENCE = r"a 24-megapixel photo to a quarter of its width and height in ([\d.]+) of the time"


def medians(page: str, column: str) -> dict[str, float]:
    """Milliseconds in one column of the first table of filters, by filter; of those that were measured."""
    lines = page[page.index("| filter ") :].partition("\n\n")[0].splitlines()
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    times = {row[0]: row[header.index(column)].split()[0] for row in rows}
    return {name: float(time) for name, time in times.items() if time[0].isdigit()}


def test_share_of_the_time_of_a_box_filter():
    times = medians(PAGES["docs/benchmarks.md"], "1/4")
    (said,) = re.findall(SENTENCE, PAGES["README.md"].replace("\n", " "))
    assert said == f"{times['dpid'] / times['Pillow BOX']:.2f}"
