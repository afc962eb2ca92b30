"""Which files a batch converts: folders, patterns, lists."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from functools import partial
from pathlib import Path

import pytest

from dpid_cli.batching.selection import Rules, Tree, compiled
from dpid_cli.files import storage
from support.command import process
from support.folders import files, lines, make


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("in", "a.png b.jpg"),
        ("in/", "a.png b.jpg"),
        ("in -r", "a.png b.jpg sub/c.png sub/deep/d.PNG"),
        ("in -r --hidden", ".cache/e.png .hidden.png a.png b.jpg sub/c.png sub/deep/d.PNG"),
        ("in -r --include *.png", "a.png sub/c.png sub/deep/d.PNG"),
        ("in -r --include sub/*", "sub/c.png"),
        ("in -r --include sub/**", "sub/c.png sub/deep/d.PNG"),
        ("in -r --include a.* --include d.*", "a.png sub/deep/d.PNG"),
        ("in -r --exclude *.jpg --exclude deep", "a.png sub/c.png"),
        ("in -r --exclude sub/**", "a.png b.jpg"),
        ("in/*.png", "a.png"),
        ("in/[!a]*.jpg", "b.jpg"),
        ("in/*/*.png", "sub/c.png"),
        ("in/**/*.png", "a.png sub/c.png"),
        ("in/*.png -r", "a.png sub/c.png"),
        ("in/s*/**", "sub/c.png sub/deep/d.PNG"),
        ("in/a.png in/sub/c.png", "a.png c.png"),
        ("in/a.png in/sub", "a.png c.png"),
        ("in in/sub/../a.png", "a.png b.jpg"),
    ],
)
def test_selection(dpid, photos, words, expected):
    result = dpid("batch", *words.split(), "out", "-s", "2", "-m", "box")
    assert (result.exit_code, result.stderr) == (0, "")
    assert files("out") == sorted(expected.split())


def test_explicit_patterns_take_any_file(dpid, photos):
    result = dpid("batch", "in", "out", "-s", "2", "-m", "box", "--include", "*", "--json")
    assert (result.exit_code, files("out")) == (1, ["a.png", "b.jpg"])
    assert json.loads(result.stdout)["failed"] == 1 and "notes.txt: not an image" in result.stderr
    result = dpid("batch", "in", "new", "-s", "2", "-m", "box", "--json")
    assert json.loads(result.stdout)["ignored"] == 1


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
@pytest.mark.parametrize("source", ["list", "-"])
def test_lists(dpid, photos, end, source):
    names = [
        b"in/a.png",
        b"in/sub/c.png",
        b"",
        b"./in/b.jpg",
        b"in/a.png",
        bytes(photos / "in" / ".hidden.png"),
    ]
    (photos / "list").write_bytes(end.join(names))
    words = ("batch", "--from-file", source, "out", "-s", "2", "-m", "box")
    result = dpid(*words, stdin=(photos / "list").read_bytes() if source == "-" else None)
    assert (result.exit_code, result.stderr) == (0, "")
    assert files("out") == [".hidden.png", "in/a.png", "in/b.jpg", "in/sub/c.png"]
    result = dpid(*words, "--root", "in", "--name", "x{stem}{ext}", stdin=(photos / "list").read_bytes())
    assert files("out")[-4:] == ["sub/xc.png", "x.hidden.png", "xa.png", "xb.jpg"]


def test_the_mark_of_utf_8_before_a_list_is_no_part_of_a_path(dpid, photos):
    (photos / "list").write_text("in/a.png\nin/b.jpg\n", encoding="utf-8-sig")
    assert dpid("batch", "--from-file", "list", "out", "-s", "2", "-m", "box").exit_code == 0
    assert files("out") == ["in/a.png", "in/b.jpg"]


def test_paths_in_a_list_that_are_not_in_the_root(dpid, photos):
    make("other/z.png")
    Path("list").write_text("in/a.png\nother/z.png\n")
    result = dpid("batch", "--from-file", "list", "--root", "in", "out", "-s", "2", "--report", "r.jsonl")
    assert result.exit_code == 1 and result.stderr.startswith("other/z.png: not in in: ")
    assert lines("r.jsonl")["other/z.png"]["status"] == "failed"


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.png", b"new\nline.png", b" spaces\t.png", b"-n.png", b"{stem}.png"]
)
def test_odd_names(folder, name):
    make("in/a.png").rename(folder / "in" / os.fsdecode(name))
    (folder / "list").write_bytes(b"in/" + name + b"\0")
    done = process(
        "batch", "--from-file", "list", "out", "-s", "2", "-m", "box", "--report", "r.jsonl", cwd=folder
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert os.listdir(b"out/in") == [name]
    assert list(map(os.fsencode, lines("r.jsonl"))) == [b"in/" + name]


def test_loops_of_links(dpid, photos):
    (photos / "in" / "sub" / "back").symlink_to(photos / "in")
    (photos / "in" / "self").symlink_to("self")
    (photos / "in" / "self.png").symlink_to("self.png")
    (photos / "in" / "gone.png").symlink_to("nowhere.png")
    (photos / "in" / "other").symlink_to("sub", target_is_directory=True)
    result = dpid("batch", "in", "out", "-r", "-s", "2", "-m", "box", "--json")
    found = json.loads(result.stdout)
    assert (found["failed"], result.exit_code) == (2, 1)  # the two links that lead to no file
    assert files("out") == [
        "a.png", "b.jpg", "other/c.png", "other/deep/d.PNG", "sub/c.png", "sub/deep/d.PNG"
    ]  # fmt: skip


def test_folder_that_cannot_be_read_is_told(dpid, photos, monkeypatch):
    """Rights do not stop root: the system's answer is made up."""
    scan = os.scandir

    def scandir(path):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(storage.os, "scandir", scandir)
    result = dpid("batch", "in", "out", "-r", "-s", "2", "-m", "box", "--report", "r.jsonl")
    assert (result.exit_code, files("out")) == (1, ["a.png", "b.jpg", "sub/c.png"])
    assert result.stderr.startswith("in/sub/deep: cannot be read: permission denied: ")
    assert lines("r.jsonl")["in/sub/deep"]["status"] == "failed"


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.png", "a.png .png", "a.jpg a/b.png a.pngx"),
        ("**/*.png", "a.png x/a.png x/y/a.png", "a.jpg"),
        ("a/**", "a/b a/b/c", "a b/a"),
        ("a/**/z", "a/z a/b/z a/b/c/z", "z az a/zz"),
        ("x?[0-9]", "xa1", "x/1 xab xa"),
        ("[!a]b", "cb", "ab /b"),
        ("[]]a[[]", "]a[", "a"),
        ("a+(b).c$", "a+(b).c$", "aab.c"),
        ("[", "[", "a"),
        ("**", "a a/b", ""),
    ],
)
def test_patterns(pattern, yes, no):
    assert [path for path in yes.split() if not compiled(pattern).match(path)] == []
    assert [path for path in no.split() if compiled(pattern).match(path)] == []


def test_takes_is_what_inputs_yields(photos):
    for rules in Rules(), Rules(hidden=True), Rules(include=("sub/*",)), Rules(exclude=("deep",)):
        for recursive, pattern in ((False, None), (True, None), (False, "**/*.png"), (False, "*/*")):
            tree = Tree("in", rules, recursive, pattern)
            found = {found.name for found in tree.inputs()}
            assert found == {name for name in files("in") if tree.takes(str(photos / "in" / name))}


def test_trees_that_are_deeper_than_python_recurses_and_than_files_may_be_open(folder):
    """Listed, mirrored and numbered."""
    deep = "/".join(["d"] * 1500)
    subprocess.run(["mkdir", "-p", f"in/{deep}"], check=True)
    make(f"in/{deep}/a.png")
    make("in/b.png")
    words = ("batch", "in", "out", "-r", "-s", "2", "-m", "box", "-j", "1", "--name", "{index}{ext}")
    done = process(*words, preexec_fn=partial(resource.setrlimit, resource.RLIMIT_NOFILE, (20, 20)))
    try:
        assert (done.returncode, done.stderr) == (0, b"")
        assert Path("out/1.png").is_file() and Path(f"out/{deep}/2.png").is_file()
    finally:
        subprocess.run(["rm", "-r", "in", "out"], check=True)  # pytest would remove them by recursion
