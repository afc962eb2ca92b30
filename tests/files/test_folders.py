"""Output folders that somebody replaces between the checks and the writing of a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dpid_cli.convert import job
from dpid_cli.errors import FileError
from dpid_cli.files import storage
from dpid_cli.files.folders import Tree, make_folder
from dpid_cli.files.output import atomic
from support.command import is_one_error_line, listing
from support.folders import files, make

linux = pytest.mark.skipif(sys.platform != "linux", reason="paths to open folders are needed")


@pytest.fixture
def elsewhere(folder: Path) -> Path:
    """A folder of somebody else, with files that have the names of outputs."""
    for name in "a.png", "sub/a.png":
        path = folder / "elsewhere" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"somebody's")
    return folder / "elsewhere"


def replaced(path: Path, by: Path) -> None:
    """Put a link in the place of a folder."""
    if path.is_symlink():
        return
    if path.exists():
        path.rename(path.parent / f"{path.name}-moved")
    path.symlink_to(by.absolute(), target_is_directory=True)


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("link", ["out", "out/sub", "hr"])
def test_batch_follows_no_link_that_appears_after_the_checks(
    dpid, folder, elsewhere, monkeypatch, link, exists
):
    make("in/sub/a.png")
    (Path(link) if exists else Path(link).parent).mkdir(parents=True, exist_ok=True)
    before = listing(elsewhere)
    refuse = storage.refuse

    def checked(*arguments):
        refuse(*arguments)
        replaced(Path(link), elsewhere)

    words = ("batch", "in", "out", "-r", "-s", "2", "-m", "box", "--hr", "hr", "--overwrite", "--threads")
    with monkeypatch.context() as patch:
        patch.setattr(storage, "refuse", checked)
        result = dpid(*words, "-q")
    assert (result.exit_code, result.stderr) == (
        1, f"{link}: has become a link to another folder: remove it, or run the command again\n"
    )  # fmt: skip
    assert is_one_error_line(result.stderr) and listing(elsewhere) == before
    Path(link).unlink()
    assert dpid(*words).exit_code == 0 and files("out") == files("hr") == ["sub/a.png"]


@pytest.mark.parametrize("link", ["out", "out/sub"])
def test_batch_follows_links_that_were_there_before(dpid, elsewhere, link):
    make("in/sub/a.png")
    Path("out").mkdir()
    replaced(Path(link), elsewhere / Path(link).name if "/" in link else elsewhere)
    assert dpid("batch", "in", "out/", "-r", "-s", "2", "-m", "box", "--overwrite").exit_code == 0
    assert (elsewhere / "sub" / "a.png").read_bytes() != b"somebody's"
    assert (elsewhere / "a.png").read_bytes() == b"somebody's" and listing(elsewhere).keys() == {
        "a.png", "sub", "sub/a.png"
    }  # fmt: skip


@pytest.mark.parametrize("output", ["out/", "out/a.png"])
def test_downscale_follows_no_link_that_appears_after_the_checks(
    dpid, folder, elsewhere, monkeypatch, output
):
    make("a.png")
    Path("out").mkdir()
    before = listing(elsewhere)
    convert = job.convert

    def late(*arguments):
        replaced(Path("out"), elsewhere)
        return convert(*arguments)

    monkeypatch.setattr(job, "convert", late)
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", output, "--overwrite")
    assert (result.exit_code, result.stdout) == (1, "") and is_one_error_line(result.stderr)
    assert "out: has become a link" in result.stderr and listing(elsewhere) == before


@linux
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("by", ["link", "folder", "nothing"])
def test_folder_that_is_replaced_while_a_file_is_written(folder, elsewhere, by, overwrite):
    Path("out").mkdir()
    Path("out/a.png").write_bytes(b"old")
    before = listing(elsewhere)
    with pytest.raises(FileError) as caught, atomic(Path("out/a.png"), overwrite) as stream:
        stream.write(b"new")
        Path("out").rename("moved")
        if by == "link":
            Path("out").symlink_to("elsewhere")
        elif by == "folder":
            Path("out").mkdir()
    assert is_one_error_line(f"{caught.value}\n") and str(caught.value).startswith("out/a.png: ")
    assert listing(elsewhere) == before and listing(Path("moved")) == {"a.png": b"old"}
    assert by != "folder" or listing(Path("out")) == {}


@pytest.mark.parametrize("link", ["tree", "tree/a", "tree/a/b"])
def test_folders_are_not_made_through_new_links(folder, elsewhere, link):
    tree = Tree.now("tree", "tree/a/b/c")
    Path(link).parent.mkdir(parents=True, exist_ok=True)
    Path(link).symlink_to(elsewhere)
    before = listing(elsewhere)
    with pytest.raises(FileError, match=f"^{link}: has become a link"):
        make_folder(Path("tree/a/b/c"), tree)
    assert listing(elsewhere) == before
    make_folder(Path("tree/a/b/c"), Tree.now("tree", "tree/a/b/c"))  # which knows it
    assert Path("tree/a/b/c").is_dir()


@linux
def test_folders_that_only_take_files(folder):
    """Those that cannot be listed, by another user where this one may do everything."""
    code = """
import os
from pathlib import Path
from dpid_cli.files.output import atomic
if os.getuid() == 0:
    os.setuid(65534)
with atomic(Path("drop/a"), True) as stream:
    stream.write(b"new")
"""
    folder.chmod(0o755)
    Path("drop").mkdir()
    Path("drop").chmod(0o333)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    Path("drop").chmod(0o755)
    assert listing(Path("drop")) == {"a": b"new"}
