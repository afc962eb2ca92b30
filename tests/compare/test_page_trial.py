"""The preference test of a page in Chromium: what it asks, shows, counts and saves."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from importlib.resources import files

import numpy as np
import pytest

import dpid_cli
from support.browsing import drawn, screenshot
from support.chromium import until
from support.command import places

NAMES = ("box", "max", "dpid", "λ")


def begin(page, pairs: str = "shown", repeats: str = "1", seed: int = 7, question: str = "preference") -> int:
    """Start a test; how many pairs it asks."""
    page.focus("#view")
    page.keyboard.press("t")
    page.select_option("#trial-pairs", pairs)
    page.select_option("#trial-question", question)
    page.select_option("#trial-repeats", repeats)
    page.fill("#trial-seed", str(seed))
    page.click("#trial-start")
    until(page, "!$('trial-pair').hidden")
    return page.evaluate("$('trial-progress').max")


def answer(page, keys: list[str]) -> None:
    for key in keys:
        page.keyboard.press(key)


def saved(page, kind: str) -> str:
    with page.expect_download() as download:
        page.click(f"[data-votes={kind}]")
    assert download.value.suggested_filename.startswith("photo_votes_")
    assert download.value.suggested_filename.endswith(f".{kind}")
    with open(download.value.path(), encoding="utf-8", newline="") as stream:  # noqa: PTH123
        return stream.read()


def votes_of(page) -> list[dict]:
    return json.loads(saved(page, "json"))["votes"]


def cut(output: np.ndarray, vote: dict) -> np.ndarray:
    """The part of an output that a vote is about, enlarged as it was shown."""
    left, top = vote["place_x"], vote["place_y"]
    part = output[top : top + vote["place_height"], left : left + vote["place_width"]]
    return np.kron(part, np.ones((vote["zoom"], vote["zoom"], 1), np.uint8))


def test_the_two_shown_are_asked_without_names(page, results):
    assert begin(page, repeats="4") == 4
    seen = []
    for _ in range(4):
        text = page.evaluate("$('trial').innerText")
        assert not any(name in text for name in NAMES) and "Which one do you like better?" in text
        assert not any(name in page.get_attribute("#trial-view", "aria-label") for name in NAMES)
        seen.append((screenshot(page), drawn(page, "$('trial-view')")))
        page.keyboard.press("ArrowLeft")
    labels = {"box": "box", "dpid:lambda=1": "dpid, λ = 1"}
    votes = votes_of(page)
    assert [vote["number"] for vote in votes] == [1, 2, 3, 4]
    for vote, (screen, _) in zip(votes, seen, strict=True):
        assert {vote["left"], vote["right"]} == set(labels) and vote["choice"] == "left"
        corners = [places(screen, cut(results[labels[vote[side]]], vote)) for side in ("left", "right")]
        assert len(corners[0]) == len(corners[1]) == 1
        (left,), (right,) = corners
        assert left[0] < right[0] and left[1] == right[1]
    # Each round changes the sides.
    assert Counter(vote["left"] for vote in votes) == dict.fromkeys(labels, 2)


def test_every_pair_is_asked_at_every_place(page):
    page.click("#add-place")
    assert begin(page, "all", "2") == 2 * 2 * 10  # places, rounds, pairs of five variants
    answer(page, ["ArrowDown"] * 40)
    votes = votes_of(page)
    pairs = Counter((vote["place"], frozenset([vote["left"], vote["right"]])) for vote in votes)
    assert len(pairs) == 20 and set(pairs.values()) == {2}
    ordered = Counter((vote["place"], vote["left"], vote["right"]) for vote in votes)
    assert set(ordered.values()) == {1}
    assert {vote["choice"] for vote in votes} == {"none"}


def test_a_seed_gives_the_same_order_and_sides(opened, written):
    orders = []
    for seed in (5, 5, 6):
        page = opened(written)
        begin(page, "box", "2", seed)
        answer(page, ["1"] * 8)
        orders.append([(vote["left"], vote["right"]) for vote in votes_of(page)])
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0]) and len({left for left, _ in orders[0]}) > 1


def test_keys_buttons_and_the_way_back(page):
    count = begin(page, "box", "1")
    assert count == 4 and page.is_disabled("#trial-back")
    page.click("[data-choice=left]")
    page.click("[data-choice=none]")
    assert page.inner_text("#trial-count") == "3 of 4"
    page.click("#trial-back")
    page.keyboard.press("Backspace")
    assert page.inner_text("#trial-count") == "1 of 4"
    answer(page, ["ArrowRight", "2", "0"])
    page.keyboard.press("Escape")  # pause
    assert not page.is_visible("#trial")
    page.click("#trial-open")
    assert page.inner_text("#trial-count") == "4 of 4"
    page.click("[data-choice=right]")
    assert [vote["choice"] for vote in votes_of(page)] == ["right", "right", "none", "right"]


def test_the_end_tells_what_the_command_tells(page, dpid, folder):
    count = begin(page, "all", "1", seed=11)
    answer(page, [["1", "2", "2", "0"][k % 4] for k in range(count)])
    rows = page.evaluate(
        "[...$('trial-table').tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.innerText))"
    )
    (folder / "votes.json").write_text(saved(page, "json"), encoding="utf-8")
    (folder / "votes.csv").write_text(saved(page, "csv"), encoding="utf-8", newline="")
    for name in ("votes.json", "votes.csv"):
        told = json.loads(dpid("compare", "--votes", name, "--json").stdout)
        assert told["votes"] == count
        wanted = set()
        for tally in told["variants"]:
            percents = (int(100 * tally[name] + 0.5) for name in ("share", "low", "high"))
            wanted.add((tally["wins"], tally["ties"], tally["pairs"], *percents))
        seen = set()
        for row in rows:
            numbers = [*row[1:4], row[4].removesuffix(" %"), *row[5].removesuffix(" %").split("\u2013")]
            seen.add(tuple(map(int, numbers)))
        assert seen == wanted and len(rows) == 5
    assert rows[0][0] in ("box", "max", "dpid, λ = 0", "dpid, λ = 0.5", "dpid, λ = 1")  # names again


@pytest.mark.parametrize("name", ['Ada, "the first"', "=1+1", "\uff20x", "'-1", "''90", "-", "O'Neill = me"])
def test_csv_and_json_say_the_same(page, dpid, folder, name):
    page.focus("#view")
    page.keyboard.press("t")
    page.fill("#trial-participant", name)
    page.fill("#trial-seed", "123")
    page.click("#trial-start")
    until(page, "!$('trial-pair').hidden")
    answer(page, ["1", "2"])
    test = json.loads(saved(page, "json"))
    (folder / "votes.json").write_text(saved(page, "json"), encoding="utf-8")
    (folder / "votes.csv").write_text(saved(page, "csv"), encoding="utf-8", newline="")
    done = dpid("compare", "--votes", "votes.csv", "votes.json")  # which would differ in the name
    assert done.exit_code == 0 and "2 votes are in several files" in done.stderr
    rows = list(csv.DictReader(saved(page, "csv").splitlines()))
    assert len(rows) == len(test["votes"]) == 2
    assert (test["seed"], test["question"]) == (123, "preference")
    harmless = f"'{name}" if re.match("'*[=+\uff20-]", name) else name
    facts = {key: value for key, value in test.items() if key not in ("votes", "format")}
    for row, vote in zip(rows, test["votes"], strict=True):
        assert row.pop("participant") == harmless and test["participant"] == name
        assert row == {key: str(value) for key, value in (facts | vote).items() if key != "participant"}


def test_the_input_is_shown_where_likeness_is_asked(page, source):
    begin(page, question="likeness")
    assert "more like the input" in page.inner_text("#trial-asked")
    screen = screenshot(page)
    page.keyboard.press("1")
    (vote,) = votes_of(page)
    left, top = 4 * vote["place_x"], 4 * vote["place_y"]
    part = source[top : top + 4 * vote["place_height"], left : left + 4 * vote["place_width"]]
    assert vote["zoom"] == 8
    assert len(places(screen, np.kron(part, np.ones((2, 2, 1), np.uint8)))) == 1


def test_computed_outputs_can_be_asked_for(page, source):
    page.evaluate("$('slider-lambda').value = 0.37; $('slider-lambda').dispatchEvent(new Event('input'))")
    assert begin(page) == 1
    screen = screenshot(page)
    page.keyboard.press("2")
    (vote,) = votes_of(page)
    assert {vote["left"], vote["right"]} == {"box", "dpid:lambda=0.37"}
    assert len(places(screen, cut(dpid_cli.downscale(source, scale=4, lambda_=0.37), vote))) == 1


def test_a_link_opens_the_test_without_a_choice(opened, written, page):
    page.focus("#view")
    page.keyboard.press("t")
    page.select_option("#trial-pairs", "box")
    page.select_option("#trial-question", "likeness")
    page.select_option("#trial-repeats", "4")
    page.evaluate("navigator.clipboard.writeText = async (words) => void (window.copied = words)")
    page.click("#trial-link")
    until(page, "window.copied")
    link = page.evaluate("window.copied")
    other = opened(written, f"#{link.partition('#')[2]}")
    assert other.is_visible("#trial") and not other.is_visible("#trial-pairs")
    assert "16 times. Which one looks more like the input?" in other.inner_text("#trial-what")
    other.wait_for_timeout(600)  # the address has been written by then
    assert "test=" in other.evaluate("location.hash")
    other.click("#trial-start")
    answer(other, ["1"] * 16)
    pairs = {frozenset([vote["left"], vote["right"]]) for vote in votes_of(other)}
    others = ("max", "dpid:lambda=0", "dpid:lambda=0.5", "dpid:lambda=1")
    assert pairs == {frozenset(["box", key]) for key in others}
    assert not opened(written, "#test=box~nothing").is_visible("#trial")


def test_axe_finds_nothing_in_the_test(page):
    axe = pytest.importorskip(
        "axe_core_python", reason="axe is not installed: pip install 'dpid-cli[browser]'"
    )
    page.evaluate((files(axe) / "axe.min.js").read_text(encoding="utf-8"))

    def violations() -> list:
        return page.evaluate(
            "axe.run().then((done) => done.violations.map(({ id, nodes }) => [id, nodes[0].html]))"
        )

    page.focus("#view")
    page.keyboard.press("v")
    assert violations() == []
    page.keyboard.press("Escape")
    page.click("#trial-open")
    assert violations() == []
    page.click("#trial-start")
    until(page, "!$('trial-pair').hidden")
    assert violations() == []
    page.keyboard.press("1")
    page.keyboard.press("1")
    assert violations() == [] and page.is_visible("#trial-end")
    saved(page, "csv")


@pytest.mark.parametrize("page", [{"viewport": {"width": 390, "height": 844}}], indirect=True)
def test_on_a_phone_nothing_is_cut_off(page):
    page.click("#trial-open")
    for part in ("setup", "pair", "end"):
        assert page.is_visible(f"#trial-{part}")
        assert page.evaluate("$('trial').scrollWidth <= innerWidth")
        if part == "setup":
            page.click("#trial-start")
            until(page, "!$('trial-pair').hidden")
            for side in ("left", "right"):
                box = page.locator(f"[data-choice={side}]").bounding_box()
                assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 844
        elif part == "pair":
            answer(page, ["1", "1"])
    saved(page, "csv")
