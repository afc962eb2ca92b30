"""The table of numbers in a page: bars, the best, sorting, and places."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def told(dpid, tmp_path, source):
    """The numbers of a page by variant, and the page's path."""
    Image.fromarray(source).save(tmp_path / "photo.png")
    words = "-s 4 -m max -m box -m dpid -m nearest --closeup 40,40,120,80 --no-timing --json"
    result = dpid("compare", str(tmp_path / "photo.png"), *words.split(), "-o", str(tmp_path / "a.html"))
    assert result.exit_code == 0
    results = json.loads(result.stdout)["results"]
    return {one["variant"]: one["numbers"] for one in results}, tmp_path / "a.html"


def rows(page, scope="everywhere") -> list[list[str]]:
    """The texts of the visible table, with its headings first."""
    return page.evaluate(
        f"[...document.querySelectorAll('[data-scope=\"{scope}\"] tr')].map((row) => [...row.cells]"
        ".filter((cell) => cell.checkVisibility()).map((cell) => cell.innerText))"
    )


def column_of(page, name: str) -> int:
    page.click("#more-numbers")
    headings = [text.replace("\n", " ") for text in rows(page)[0]]
    return next(i for i, text in enumerate(headings) if text.startswith(name))


def test_three_columns_answer_and_the_others_follow(told, opened):
    page = opened(told[1])
    assert len(rows(page)[0]) == 1 + 3
    page.click("#more-numbers")
    assert page.get_attribute("#more-numbers", "aria-expanded") == "true"
    measured = {name for one in told[0].values() for name, value in one.items() if value is not None}
    absolute = {"contrast", "gradient", "noise"}  # which pages show in relation to others only
    assert len(rows(page)[0]) == 1 + len(measured - absolute - {"seconds", "megapixels_per_second"})


def test_sorting(told, opened):
    numbers, path = told
    page = opened(path)
    column = column_of(page, "PSNR")
    button = page.locator("[data-scope=everywhere] thead button").nth(column)
    told = {name: round(one["psnr"], 2) for name, one in numbers.items()}  # what the cells show
    best = sorted(told, key=lambda name: -told[name])
    button.click()
    assert [row[0].split(",")[0] for row in rows(page)[1:]] == best
    assert button.locator("..").get_attribute("aria-sort") == "descending"
    button.click()
    assert [row[0].split(",")[0] for row in rows(page)[1:]] == sorted(told, key=told.__getitem__)
    page.locator("[data-scope=everywhere] thead button").first.click()
    assert [row[0].split(",")[0] for row in rows(page)[1:]] == list(numbers)


def test_bars_and_the_best(told, opened):
    numbers, path = told
    page = opened(path)
    column = column_of(page, "PSNR")
    cells = page.locator(f"[data-scope=everywhere] tbody tr td:nth-child({column + 1})")
    measured = (
        "(cell) => [parseFloat(getComputedStyle(cell, '::after').width), cell.clientWidth - 2 * 0.7 * 16]"
    )
    bars = [cells.nth(i).evaluate(measured) for i in range(4)]
    widths = [100 * width / room for width, room in bars]
    values = np.array([one["psnr"] for one in numbers.values()]).round(2)
    np.testing.assert_allclose(widths, 100 * values / values.max(), atol=0.5)
    star = "(cell) => Number(getComputedStyle(cell, '::before').content.includes('★'))"
    stars = [cells.nth(i).evaluate(star) for i in range(4)]
    assert stars == [int(value == values.max()) for value in values]


def test_numbers_of_a_place_are_those_of_the_record(told, opened, dpid, tmp_path):
    page = opened(told[1])
    page.click("button[data-table=A]")
    assert not page.is_visible("[data-scope=everywhere]")
    words = "-s 4 -m max -m box -m dpid -m nearest --closeup 40,40,120,80 --json"
    result = dpid("compare", str(tmp_path / "photo.png"), *words.split())
    wanted = [one["places"][0] for one in json.loads(result.stdout)["results"]]
    for row, one in zip(rows(page, "A")[1:], wanted, strict=True):
        values = one["detail_kept"] * 100, one["noise_added"] * 255, one["likeness"]
        for cell, value, digits in zip(row[1:], values, (1, 2, 3), strict=True):
            assert float(cell) == pytest.approx(value, abs=0.51 * 10**-digits)


def test_the_side_shows_the_numbers_of_both_at_the_place(told, opened):
    page = opened(told[1])
    wanted = {row[0].split(",")[0]: row[1:] for row in rows_of_place(page)}
    side = page.evaluate(
        "[...document.querySelectorAll('#at tr')].map((r) => [...r.cells].map((c) => c.innerText))"
    )
    assert side[0] == ["At A", "box", "dpid"]
    assert [row[1] for row in side[1:]] == wanted["box"] and [row[2] for row in side[1:]] == wanted["dpid"]


def rows_of_place(page) -> list[list[str]]:
    page.click("button[data-table=A]")
    return rows(page, "A")[1:]


def test_without_a_script_all_tables_are_there(browser, told):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(told[1].as_uri())
    assert page.locator("table.numbers").count() == 2
    for scope in ("everywhere", "A"):
        assert page.locator(f"[data-scope={scope}]").is_visible()
    assert page.locator("[data-scope=everywhere] .more").first.is_visible()
    assert page.locator("noscript p").is_visible()
    context.close()
