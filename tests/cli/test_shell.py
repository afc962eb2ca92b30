"""Completion in shells, the manual page, and the JSON schemas against what commands print."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
from PIL import Image

from dpid_cli.cli import COMMANDS
from dpid_cli.cli.schemas import SCHEMAS, schema
from dpid_cli.downscaling.registry import METHODS
from dpid_cli.pictures.formats import WRITTEN
from support.command import DPID, ROOT, is_one_error_line
from support.folders import make

# Types words and the start of another into Bash, and prints what it offers.
BASH = """
eval "$({dpid} completion bash)"
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_dpid_completion {dpid} >/dev/null 2>&1
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def offered(words: str) -> list[str]:
    """What Bash offers for the last of the words, which may be ''."""
    code = BASH.format(dpid=DPID, words=words)
    done = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dpid ''", set(COMMANDS)),
        ("dpid down", {"downscale"}),
        ("dpid downscale -m ''", set(METHODS)),
        ("dpid batch -m dp", {"dpid", "dpp"}),
        ("dpid downscale --format ''", set(WRITTEN)),
        ("dpid downscale --guidance ''", {"box", "gaussian", "photo", "stars", "text"}),
        ("dpid downscale --guidance g", {"gaussian"}),
        ("dpid downscale a.png --lambda ''", {"auto"}),
        ("dpid downscale --dry", {"--dry-run"}),
        ("dpid batch --if-smaller ''", {"skip", "copy", "error"}),
        ("dpid batch --dask ''", {"local"}),
        ("dpid schema ''", set(SCHEMAS)),
        ("dpid completion ''", {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes(words, expected):
    assert set(offered(words)) == expected


def test_files_are_completed():
    """Click tells the script to leave them to the shell."""
    for words, kind in (
        ("downscale ", "file"), ("downscale --guidance x", "file"), ("batch --report ", "file"),
        ("batch --hr ", "dir"), ("learn --targets ", "dir"), ("downscale -o ", "file"),
    ):  # fmt: skip
        typed = f"dpid {words}"
        environment = {"_DPID_COMPLETE": "bash_complete", "COMP_WORDS": typed}
        environment["COMP_CWORD"] = str(len(typed.split(" ")) - 1)
        done = subprocess.run([DPID], capture_output=True, text=True, env=os.environ | environment)
        assert f"{kind}," in done.stdout, words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_valid(dpid, shell):
    script = dpid("completion", shell).stdout
    assert f"_DPID_COMPLETE={shell}_complete" in script
    if shutil.which(shell) is not None:
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_script_of_the_own_shell(dpid, monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/local/bin/zsh")
    assert dpid("completion").stdout == dpid("completion", "zsh").stdout
    for shell, words in ("/bin/tcsh", ()), ("/bin/bash", ("tcsh",)):
        monkeypatch.setenv("SHELL", shell)
        result = dpid("completion", *words)
        assert result.exit_code == 2 and is_one_error_line(result.stderr) and "tcsh" in result.stderr


def test_manual_page_and_page_of_schemas_are_up_to_date():
    code = "import make_reference as m; print(m.manual(), m.schemas(), m.commands(), sep='\\0', end='')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "docs", capture_output=True, text=True, check=True
    )
    manual, schemas, commands = done.stdout.split("\0")
    assert manual == (ROOT / "docs/dpid.1").read_text(), "run python docs/make_reference.py"
    assert schemas == (ROOT / "docs/schemas.md").read_text(), "run python docs/make_reference.py"
    assert commands == (ROOT / "docs/commands.md").read_text(), "run python docs/make_reference.py"


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_manual_page_can_be_shown():
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-P-cbou", ROOT / "docs/dpid.1"], capture_output=True, text=True
    )
    assert done.stderr == "" and "--lambda X|auto" in done.stdout


def test_manual_page_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"docs/dpid.1": "share/man/man1/dpid.1"}


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_valid_and_versioned(dpid, name):
    found = json.loads(dpid("schema", name).stdout)
    assert found == schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$id"] == f"urn:dpid-cli:{name}:1"
    assert "additionalProperties" not in found  # as keys may be added
    assert all(value["description"].endswith(".") for value in found["properties"].values())
    assert f"{name:9}  {found['title']}\n" in dpid("schema").stdout


def check(name: str, text: str) -> list[dict]:
    """Every line is an object that fits the schema, which describes all of its keys."""
    objects = [json.loads(line) for line in text.splitlines()]
    for each in objects:
        jsonschema.validate(each, schema(name) | {"additionalProperties": False})
    assert objects
    return objects


@pytest.fixture
def images(folder: Path) -> list[str]:
    """Images of all kinds, the last one damaged."""
    make("a.jpg", (64, 48))
    Image.new("LA", (50, 40), (3, 200)).save("b.png")
    frames = [Image.new("RGB", (60, 40), colour) for colour in ("red", "blue")]
    frames[0].save("c.gif", save_all=True, append_images=frames[1:], duration=40, loop=3)
    frames[0].save("d.tif", save_all=True, append_images=frames[1:], dpi=(200, 100))
    make("small.png", (6, 4))
    Path("bad.png").write_bytes(b"nothing")
    return ["a.jpg", "b.png", "c.gif", "d.tif", "small.png", "bad.png"]


def test_downscale_prints_what_its_schema_says(dpid, images):
    told = []
    for words in (
        (), ("-n",), ("-m", "softpool", "--if-smaller", "copy"),
        ("--lambda", "auto", "--noise", "auto", "--if-smaller", "skip"),
    ):  # fmt: skip
        given = ("downscale", *images, "--width", "20", "-o", "out/", "-f", "--json")
        told += check("downscale", dpid(*given, *words).stdout)
    states = schema("downscale")["properties"]["status"]["enum"]
    assert {each["status"] for each in told} == set(states)


def test_batch_prints_what_its_schema_says(dpid, images):
    words = ("batch", *images, "out", "--width", "20", "--json", "--hr", "hr")
    check("batch", dpid(*words, "--report", "r.jsonl").stdout)
    check("batch", dpid(*words, "-n").stdout)
    check("batch", dpid(*words, "--report", "s.jsonl", "--skip-existing").stdout)
    more = ("--report", "t.jsonl", "--checksum", "--if-smaller", "skip", "-m", "max", "-f")
    check("batch", dpid(*words, *more).stdout)
    lines = [line for name in "rst" for line in check("report", Path(f"{name}.jsonl").read_text())]
    assert {line["status"] for line in lines} == {"done", "skipped", "failed"}


def test_compare_prints_what_its_schema_says(dpid, images):
    words = ("-s", "3", "-m", "box", "-m", "dpid:lambda=auto", "--json")
    told = check("compare", dpid("compare", "a.jpg", "bad.png", *words).stdout)
    assert (told[0]["error"], told[1]["input"]) == (None, "bad.png") and told[1]["error"]
    check("compare", dpid("compare", "a.jpg", *words, "-o", "sheet.png").stdout)


def test_info_and_methods_print_what_their_schemas_say(dpid, images):
    check("info", dpid("info", "--json").stdout)
    check("methods", dpid("methods", "--json").stdout)
    for words in (), ("--format", "jpeg"), ("--format", "webp"):
        found = check("image", dpid("info", *images, *words, "--json").stdout)
        assert [each["input"] for each in found] == images
        assert [len(each) > 2 for each in found] == [True] * (len(images) - 1) + [False]


def test_filters_are_what_their_schema_says(dpid, folder):
    for name in "photo", "stars", "text":
        check("filter", json.dumps(json.loads((ROOT / f"dpid_cli/downscaling/data/{name}.json").read_text())))
    inputs = [str(make(name, (96, 96))) for name in ("a.png", "b.png")]
    words = ("-s", "2", "--patch", "48", "--iterations", "1", "-o", "f.json", "--json", "--per-channel")
    for grid in ("output",), ("input", "--overwrite"):
        check("filter", dpid("learn", *inputs, *words, "--grid", *grid).stdout)
        check("filter", json.dumps(json.loads(Path("f.json").read_text())))


def test_an_unknown_schema(dpid):
    result = dpid("schema", "reprot")
    assert result.exit_code == 2 and result.stderr.startswith("dpid schema: NAME must be ")
    assert "did you mean report?" in result.stderr
