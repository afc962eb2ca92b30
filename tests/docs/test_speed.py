"""What the README says about speed is what the benchmarks have measured."""

from __future__ import annotations

import re

from support.pages import PAGES


def medians(page: str, first: str) -> dict[str, dict[str, float]]:
    """The times of a table whose first column has this heading, by row and column."""
    lines = page[page.index(f"| {first} ") :].partition("\n\n")[0].splitlines()
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {name: {h: float(c.split()[0]) for h, c in zip(header[1:], cells)} for name, *cells in rows}


def test_share_of_the_time_of_a_box_filter():
    times = medians(PAGES["docs/benchmarks.md"], "filter")
    measured = times["dpid"]["1/4"] / times["Pillow BOX"]["1/4"]
    sentence = (
        r"24-megapixel photo to a quarter of its width and height in ([\d.]+) of the time that Pillow's"
    )
    (said,) = re.findall(sentence, PAGES["README.md"])
    assert said == f"{measured:.2f}"
