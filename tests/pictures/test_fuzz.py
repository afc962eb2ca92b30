"""Damaged files of every format: many of them by ``-m fuzz``, and always those that were found."""

from __future__ import annotations

import os

import pytest

from dpid_cli.pictures import FORMATS
from support import fuzzing
from support.command import ROOT
from support.mutations import mutated
from support.specimens import NAMES, files

FOUND = sorted((ROOT / "tests" / "data" / "damaged").glob("*"))
COUNT = int(os.environ.get("DPID_FUZZ_COUNT", "24000"))
SEED = int(os.environ.get("DPID_FUZZ_SEED", "5"))


def test_every_format_is_there():
    assert set(FORMATS) - set(NAMES) <= {"heif", "jxl"}


@pytest.mark.parametrize("name", NAMES)
def test_whole_files_are_read(name):
    outcomes = [fuzzing.outcome(data) for data in files(name)]
    assert outcomes.count("picture") >= 0.6 * len(outcomes)


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_files_that_did_wrong_once(path, capfd):
    assert fuzzing.outcome(path.read_bytes()) in ("picture", "refused")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", NAMES)
def test_some_damaged_files(name):
    """Of another seed than the many; also that a number always gives the same file."""
    whole = {name: files(name) for name in NAMES}
    damaged = [mutated(name, number, 0, whole) for number in range(60)]
    assert damaged == [mutated(name, number, 0, whole) for number in range(60)]
    outcomes = {fuzzing.outcome(data) for data in damaged}
    assert outcomes == {"picture", "refused"}


def test_wrong_is_found(tmp_path, monkeypatch):
    """What crashes, hangs, swells, prints or raises is noticed and kept."""
    code = """
import os, signal, sys, time
sys.path.insert(0, sys.argv.pop(1))
from support import fuzzing, specimens
wrong = {
    3: lambda: os.kill(os.getpid(), signal.SIGSEGV),
    5: lambda: time.sleep(99),
    7: lambda: bytes(1 << 31),
    9: lambda: os.write(2, b"a remark"),
    11: lambda: 1 / 0,
}
count = [-len(specimens.files("bmp"))]
plain = fuzzing.outcome
def outcome(data):
    count[0] += 1
    number = fuzzing_numbers[count[0] - 1] if count[0] > 0 else -1
    wrong.get(number, lambda: None)()
    return plain(data)
fuzzing.outcome = outcome
fuzzing.NAMES = ["bmp"]
import json
text = sys.stdin.read()
fuzzing_numbers = [number for _, number in json.loads(text)]
fuzzing.work(1, json.loads(text))
"""
    script = tmp_path / "worker.py"
    script.write_text(code)
    monkeypatch.setattr(fuzzing, "PATIENCE", 2)
    monkeypatch.setattr(fuzzing, "COMMAND", [str(script), str(ROOT / "tests")])
    report = fuzzing.run(1, 20, ["bmp"], tmp_path / "kept")
    found = {find.number: find.kind for find in report.finds}
    assert found == {3: "crash", 5: "hang", 7: "memory", 9: "printed", 11: "error"}
    assert sum(report.outcomes.values()) == 20
    whole = {"bmp": files("bmp")}
    assert {path.read_bytes() for path in (tmp_path / "kept").iterdir()} == {
        mutated("bmp", number, 1, whole) for number in found
    }


@pytest.mark.fuzz
def test_many_damaged_files(tmp_path):
    """Whatever is wrong stands in the report with the number that makes the file again."""
    report = fuzzing.run(SEED, COUNT, NAMES, tmp_path / "found", workers=os.cpu_count() or 1)
    print(report)
    assert sum(report.outcomes.values()) >= COUNT
    assert not report.finds, f"{report}\nfiles are in {tmp_path / 'found'}"
    assert min(report.outcomes["picture"], report.outcomes["refused"]) > COUNT // 20
