"""Votes of preference tests, counted by `dpid compare --votes`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from scipy.stats import binomtest

from dpid_cli.compare.votes import interval
from support.command import is_one_error_line

FACTS = {
    "format": "dpid votes",
    "session": "s1",
    "participant": "",
    "question": "preference",
    "image": "a.png",
}
HEADINGS = ("session", "number", "participant", "question", "image", "place", "left", "right", "choice")


def answers(*words: str) -> list[dict]:
    """Votes from words such as ``box<dpid``, ``dpid>box`` and ``box=max``: left, preference, right."""
    votes = []
    for number, word in enumerate(words, 1):
        sign = next(sign for sign in "<>=" if sign in word)
        left, right = word.split(sign)
        choice = {"<": "right", ">": "left", "=": "none"}[sign]
        votes.append({"number": number, "place": "A", "left": left, "right": right, "choice": choice})
    return votes


def write_json(path: str, *words: str, **facts: str) -> None:
    Path(path).write_text(json.dumps(FACTS | facts | {"votes": answers(*words)}), encoding="utf-8")


def write_csv(path: str, *words: str, **facts: str) -> None:
    with Path(path).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, HEADINGS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**FACTS, **facts, **vote} for vote in answers(*words))


@pytest.mark.parametrize(("wins", "count"), [(0, 7), (1, 1), (3, 10), (50, 60), (60, 60), (499, 1000)])
def test_intervals_are_those_of_wilson(wins, count):
    wanted = binomtest(wins, count).proportion_ci(0.95, method="wilson")
    assert interval(wins, count) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def test_wins_ties_and_pairs_of_several_people(dpid, folder):
    write_json("one.json", "box<dpid", "dpid>box", "box=dpid", session="s1")
    write_csv("two.csv", "dpid<box", "dpid>box", session="s2", image="b, c.png")
    done = dpid("compare", "--votes", "one.json", "two.csv", "--json")
    assert done.exit_code == 0 and done.stderr == ""
    told = json.loads(done.stdout)
    assert (told["question"], told["votes"], told["sessions"], told["images"]) == ("preference", 5, 2, 2)
    first, second = told["variants"]
    assert (first["variant"], first["wins"], first["ties"], first["pairs"]) == ("dpid", 3, 1, 5)
    assert (second["variant"], second["wins"], second["ties"], second["pairs"]) == ("box", 1, 1, 5)
    assert first["share"] == 0.7 and second["share"] == pytest.approx(0.3)
    # Wilson's bounds are those shares from which 3.5 of 5 differ by 1.96 of their standard deviations.
    for bound in (first["low"], first["high"]):
        assert abs(0.7 - bound) == pytest.approx(1.959964 * (bound * (1 - bound) / 5) ** 0.5)
    assert second["low"] == pytest.approx(1 - first["high"])
    assert told["pairs"] == [told["variants"]]


def test_the_table_of_the_terminal(dpid, folder):
    write_json("votes.json", "box<dpid", "dpid>max", "box=max", "dpid>box")
    done = dpid("compare", "--votes", "votes.json")
    assert done.exit_code == 0 and done.stderr == "preference: 4 votes, 1 session, 1 image\n"
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["variant", "wins", "ties", "pairs", "share", "95", "%", "interval"]
    assert lines[1][:6] == ["dpid", "3", "0", "3", "100.0", "%"]
    assert lines[2][:6] == ["max", "0", "1", "2", "25.0", "%"]
    assert lines[3][:6] == ["box", "0", "1", "3", "16.7", "%"]
    assert lines[5][:4] == ["pair", "wins", "ties", "losses"]
    assert lines[6][:6] == ["dpid", "against", "box", "2", "0", "0"]
    assert len({len(line) for line in done.stdout.splitlines()[:4]}) == 1  # columns are aligned
    assert dpid("compare", "--votes", "votes.json", "-q").stdout == ""


def test_a_pair_is_one_whatever_its_sides(dpid, folder):
    write_json("votes.json", "box<dpid", "dpid>box")
    told = json.loads(dpid("compare", "--votes", "votes.json", "--json").stdout)
    assert len(told["pairs"]) == 1 and told["pairs"][0][0]["wins"] == 2


def test_votes_in_several_files_count_once(dpid, folder):
    words = ("box<dpid", "dpid>box", "box=dpid")
    write_json("votes.json", *words)
    write_csv("votes.csv", *words[:2])
    done = dpid("compare", "--votes", "votes.csv", "votes.json", "--json")
    assert json.loads(done.stdout)["votes"] == 3
    assert done.stderr == "--votes: 2 votes are in several files: counted once\n"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\uff1d", "\t", "\r", "\n", "'=", "''@"])
def test_formulas_in_csv_are_read_as_the_names_they_are(dpid, folder, begin):
    """With the quote before them that pages write, and without it, as earlier pages wrote them."""
    write_json("votes.json", "box<dpid", image=f"{begin}1.png", participant=begin)
    write_csv("votes.csv", "box<dpid", image=f"'{begin}1.png", participant=f"'{begin}")
    done = dpid("compare", "--votes", "votes.csv", "votes.json")
    assert done.exit_code == 0 and "preference: 1 vote, 1 session, 1 image" in done.output
    if not begin.startswith("'"):
        write_csv("votes.csv", "box<dpid", image=f"{begin}1.png", participant=begin)
        assert dpid("compare", "--votes", "votes.csv", "votes.json").exit_code == 0


def test_quotes_before_other_names_stay(dpid, folder):
    write_json("votes.json", "box<dpid", image="'90s.png")
    write_csv("votes.csv", "box<dpid", image="'90s.png")
    assert dpid("compare", "--votes", "votes.csv", "votes.json").exit_code == 0
    write_csv("votes.csv", "box<dpid", image="90s.png")
    assert "differs from the same vote" in dpid("compare", "--votes", "votes.csv", "votes.json").stderr


def changed(**facts: object) -> str:
    return json.dumps(FACTS | {"votes": [answers("box<dpid")[0] | facts]})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"format": "dpid votes", "votes": [', "a.json: is damaged"),
        ("a.json", "[" * 100_000, "a.json: is damaged"),
        ("a.json", '{"votes": []}', "a.json: contains no votes: give CSV or JSON files"),
        ("a.json", json.dumps(FACTS | {"votes": []}), "a.json: contains no votes: give a file of a test"),
        ("a.json", json.dumps(FACTS | {"votes": [3]}), "a.json: vote 1 is damaged"),
        ("a.json", changed(choice="best"), "vote 1: choice must be left, right or none (got 'best')"),
        ("a.json", changed(left=""), "vote 1: left is missing"),
        ("a.json", changed(place=7), "vote 1: place is missing"),
        ("a.json", changed(right="box"), "vote 1: left and right are both box"),
        ("a.json", changed(number=1.5), "vote 1: number must be a whole number (got 1.5)"),
        ("a.csv", "", "a.csv: contains no votes"),
        ("a.csv", "input,width\na.png,3\n", "a.csv: contains no votes: give CSV or JSON files"),
        ("a.csv", ",".join(HEADINGS) + "\n", "a.csv: contains no votes: give a file of a test"),
        ("a.csv", ",".join(HEADINGS) + "\ns1,1,,x,a.png\n", "a.csv: line 2 has another number of cells"),
        ("a.csv", ",".join(HEADINGS) + "\ns1,1,,x,a.png,A,b,c,maybe\n", "line 2: choice must be left, right"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0", "a.png: contains no votes"),
    ],
)
def test_damaged_and_foreign_files_are_told_in_a_line(dpid, folder, name, content, message):
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    done = dpid("compare", "--votes", name)
    assert (done.exit_code, done.stdout) == (1, "")
    assert message in done.stderr and is_one_error_line(done.stderr)


def test_missing_files_and_files_that_do_not_fit_together(dpid, folder):
    done = dpid("compare", "--votes", "none.csv")
    assert done.exit_code == 1 and "none.csv: cannot be read" in done.stderr
    write_json("one.json", "box<dpid")
    write_json("other.json", "box>dpid")
    done = dpid("compare", "--votes", "one.json", "other.json")
    assert done.exit_code == 1 and is_one_error_line(done.stderr)
    assert "other.json: vote 1 differs from the same vote in one.json" in done.stderr
    write_json("third.json", "box>dpid", session="s3", question="likeness")
    done = dpid("compare", "--votes", "one.json", "third.json")
    assert done.exit_code == 1 and is_one_error_line(done.stderr)
    assert "third.json: asks for likeness, one.json for preference" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["votes.json", "-s", "4"], "--scale does nothing with --votes"),
        (["votes.json", "-o", "page.html"], "--output does nothing with --votes"),
        (["--page", "page.html"], "--page does nothing with --votes"),
        ([], "missing argument 'INPUT...'"),
    ],
)
def test_what_votes_do_not_use_is_refused(dpid, folder, words, message):
    write_json("votes.json", "box<dpid")
    done = dpid("compare", "--votes", *words)
    assert done.exit_code == 2 and message in done.stderr
    assert [path.name for path in folder.iterdir()] == ["votes.json"]
