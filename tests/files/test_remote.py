"""Batches from and to other machines: addresses, S3 and SFTP against servers on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dpid_cli.errors import FileError
from dpid_cli.files import storage
from support.command import is_one_error_line, listing
from support.folders import lines
from support.servers import need, s3_server, sftp_server

WORDS = ("-r", "-s", "2", "-m", "box", "--json")


@pytest.fixture
def photos(folder: Path) -> Path:
    """Four pictures, one of them larger than what is read first, what is no picture, and their results."""
    noise = np.random.default_rng(5).integers(0, 256, (400, 400, 3), np.uint8)
    (folder / "in" / "sub dir").mkdir(parents=True)
    Image.fromarray(noise).save("in/large.png")
    for k, name in enumerate(("a.png", "b#1?.jpg", "sub dir/ü%20.png")):
        Image.fromarray(noise[k : k + 30, :40]).save(folder / "in" / name)
    Path("in/sub dir/bad.png").write_bytes(b"no picture")
    Path("in/empty.png").touch()
    return folder


@pytest.fixture(scope="module")
def s3_variables():
    with s3_server() as variables:
        yield variables


@pytest.fixture
def s3(s3_variables, monkeypatch):
    """The address of an empty bucket, and S3 itself."""
    import s3fs

    for name, value in s3_variables.items():
        monkeypatch.setenv(name, value)
    files = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
    bucket = f"bucket{len(files.ls(''))}"
    files.mkdir(bucket)
    return f"s3://{bucket}", files


@pytest.fixture(scope="module")
def sftp_home(tmp_path_factory):
    with sftp_server(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture
def sftp(sftp_home, monkeypatch):
    """The address of the server, reached with keys of this home."""
    monkeypatch.setenv("HOME", str(sftp_home[1]))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return sftp_home[0]


def counts(result) -> dict[str, int]:
    assert result.exit_code in (0, 1), result.stderr
    return {key: json.loads(result.stdout)[key] for key in ("done", "skipped", "failed")}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s3://bucket/a.png", True),
        ("SFTP://host/a", True),
        ("abfs+x.y-z://a", True),
        ("s3:/bucket", False),
        ("./s3://bucket", False),
        ("/s3://a", False),
        ("c://a", False),
        ("", False),
    ],
)
def test_addresses(path, expected):
    assert storage.is_address(path) == expected


def test_addresses_as_paths():
    assert storage.joined("s3://b", "x/y.png") == storage.joined("s3://b/", "x/y.png") == "s3://b/x/y.png"
    assert storage.relative("s3a://b/x/y", "s3://b/x/") == "y"
    assert storage.relative("s3://b/xy", "s3://b/x") is None
    assert storage.relative("s3://b/x", "here") is None and storage.relative("here", "s3://b") is None
    assert storage.same("s3://b/x", "s3a://b/x") and not storage.same("s3://b/x", "gs://b/x")
    alike = [storage.identities(path, folded=True) for path in ("s3://b/X", "s3a://b/x")]
    assert alike[0] == alike[1] == storage.identities("s3://b/x", folded=False)
    assert not storage.folds_case("s3://b")
    assert storage.mirrored("s3://b/x/y.png") == storage.last("s3://b/x/y.png") == "y.png"
    assert storage.absolute("s3://b/x", "/base") == "s3://b/x" and storage.absolute("x", "/base") == "/base/x"


def test_passwords_do_not_get_into_reports(dpid, folder):
    need("fsspec")
    result = dpid("batch", "sftp://me:secret@host/in", "out", "-s", "2")
    assert result.exit_code == 2 and "secret" not in result.stderr and is_one_error_line(result.stderr)


def test_unknown_schemes(dpid, folder):
    need("fsspec")
    result = dpid("batch", "nonsense://host/in", "out", "-s", "2")
    assert result.exit_code == 2 and is_one_error_line(result.stderr)


@pytest.mark.parametrize(("module", "word"), [("fsspec", "s3://b/in"), ("paramiko", "sftp://h/in")])
def test_packages_that_are_not_installed(folder, module, word):
    code = f"import sys; sys.modules[{module!r}] = None; from dpid_cli.cli import main; main(sys.argv[1:])"
    words = [sys.executable, "-c", code, "batch", word, "out", "-s", "2"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and is_one_error_line(done.stderr)
    assert 'pip install "dpid-cli[remote]"' in done.stderr


def check_there_and_back(dpid, photos, base: str) -> None:
    """Send pictures there, make them smaller there, and go on with that; all as it is here."""
    here = dpid("batch", "in", "out", *WORDS)
    assert counts(here) == {"done": 4, "skipped": 0, "failed": 2}
    for path in Path("in").rglob("*.*"):
        with storage.written(f"{base}/{path}", overwrite=False) as stream:
            stream.write(path.read_bytes())
    words = ("batch", f"{base}/in", f"{base}/out", *WORDS, "--report", "r.jsonl")
    dry = dpid(*words, "--dry-run")
    assert counts(dry) == {"done": 4, "skipped": 0, "failed": 2}
    assert counts(dpid(*words)) == {"done": 4, "skipped": 0, "failed": 2}
    assert set(lines()) == {f"{base}/in/{name}" for name in listing(Path("in")) if name[-4:-3] == "."}
    assert counts(dpid(*words, "--resume")) == {"done": 0, "skipped": 4, "failed": 2}
    kept = [line for line in Path("r.jsonl").read_text().splitlines(keepends=True) if "a.png" not in line]
    Path("r.jsonl").write_text("".join(kept))  # as if it had been in flight when the run was killed
    assert counts(dpid(*words, "--resume")) == {"done": 1, "skipped": 3, "failed": 2}
    again = dpid(*words[:-2])
    assert counts(again) == {"done": 0, "skipped": 0, "failed": 6} and "exist already" in again.stderr
    assert counts(dpid(*words[:-2], "--skip-existing")) == {"done": 0, "skipped": 4, "failed": 2}
    assert counts(dpid(*words[:-2], "--overwrite")) == {"done": 4, "skipped": 0, "failed": 2}
    for name, content in listing(Path("out")).items():
        if content is not None:
            with storage.opened(f"{base}/out/{name}") as stream:
                assert stream.read() == content
            assert storage.length(f"{base}/out/{name}") == len(content)


def test_s3(dpid, photos, s3):
    check_there_and_back(dpid, photos, s3[0])
    assert not [name for name in s3[1].find(s3[0]) if name.endswith(".tmp")]


def test_sftp(dpid, photos, sftp, tmp_path_factory):
    there = tmp_path_factory.mktemp("there")
    check_there_and_back(dpid, photos, f"{sftp}{there}")
    assert listing(there / "out") == listing(Path("out"))


def test_s3_inputs_that_change_are_done_again(dpid, photos, s3):
    base, files = s3
    for name in "a.png", "large.png":
        files.put(f"in/{name}", f"{base}/in/{name}")
    words = ("batch", f"{base}/in", "out", *WORDS, "--report", "r.jsonl", "--resume", "--checksum")
    assert counts(dpid(*words))["done"] == 2
    assert all(line["checksum"].startswith("etag:") for line in lines().values())
    files.put("in/large.png", f"{base}/in/large.png")  # later, but the same
    assert counts(dpid(*words)) == {"done": 0, "skipped": 2, "failed": 0}
    files.put("in/a.png", f"{base}/in/large.png")
    assert counts(dpid(*words)) == {"done": 1, "skipped": 1, "failed": 0}


def test_s3_is_asked_no_more_than_needed(dpid, photos, s3, monkeypatch):
    import s3fs

    base, files = s3
    for name in "a.png", "large.png":
        files.put(f"in/{name}", f"{base}/in/{name}")
    asked: Counter[str] = Counter()
    call = s3fs.S3FileSystem._call_s3

    async def counted(self, method, *args, **options):
        asked[method] += 1
        return await call(self, method, *args, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", counted)
    result = dpid("batch", f"{base}/in", f"{base}/out", *WORDS, "-j", "1")
    assert counts(result) == {"done": 2, "skipped": 0, "failed": 0}
    assert asked["put_object"] == 2
    assert asked["get_object"] == 3  # the large one in two parts
    assert asked["head_object"] <= 2 * 4 + 2 and asked["list_objects_v2"] <= 2 + 4


def test_s3_refuses_what_exists_by_then(s3):
    """Between the look and the write somebody else has written it."""
    base, files = s3
    with (
        pytest.raises(FileError, match="exists already"),
        storage.written(f"{base}/x", overwrite=False) as stream,
    ):
        stream.write(b"ours")
        files.pipe(f"{base}/x", b"theirs")
    assert files.cat(f"{base}/x") == b"theirs"


def test_s3_errors(dpid, photos, s3, monkeypatch):
    base, _ = s3
    result = dpid("batch", f"{base}/nothing", "out", "-s", "2")
    assert result.exit_code == 2 and is_one_error_line(result.stderr)
    result = dpid("batch", "in/a.png", "s3://no-such-bucket/out", "-s", "2")
    assert result.exit_code == 1 and result.stderr.startswith("s3://no-such-bucket/out/a.png: cannot be ")
    Path("list").write_text(f"{base}/missing.png\n")
    result = dpid("batch", "--from-file", "list", "out", "-s", "2", "-q")
    assert result.exit_code == 1 and "cannot be read: no such file: " in result.stderr
    result = dpid("batch", "in", "out", "-s", "2", "--report", f"{base}/r.jsonl")
    assert result.exit_code == 2 and "give a local file" in result.stderr


def test_s3_inputs_are_not_replaced(dpid, photos, s3):
    base, files = s3
    files.put("in/a.png", f"{base}/in/a.png")
    for output in f"{base}/in", f"s3a://{base[5:]}/in/":
        result = dpid("batch", f"{base}/in", output, "-s", "2", "--overwrite")
        assert result.exit_code == 2 and is_one_error_line(result.stderr)
    assert files.cat(f"{base}/in/a.png") == Path("in/a.png").read_bytes()


def test_lists_of_addresses(dpid, photos, s3):
    base, files = s3
    for name in "x/a.png", "y/a.png":
        files.put("in/a.png", f"{base}/{name}")
    Path("list").write_text(f"{base}/x/a.png\n{base}/y/a.png\n")
    assert dpid("batch", "--from-file", "list", "out", "-s", "2").exit_code == 2  # one name for both
    result = dpid("batch", "--from-file", "list", "--root", base, "out", "-s", "2", "-q")
    assert result.exit_code == 0
    assert sorted(name for name in listing(Path("out")) if name.endswith("g")) == ["x/a.png", "y/a.png"]


def test_sftp_servers_that_are_not_known(dpid, sftp, sftp_home, photos):
    """Nothing is sent to whoever answers."""
    from dpid_cli.files.sftp import Sftp

    known = sftp_home[1] / ".ssh" / "known_hosts"
    before = known.read_text()
    try:
        other = (sftp_home[1] / ".ssh" / "id_ed25519.pub").read_text().split()[1]
        for content in "", f"{before.rpartition(' ')[0]} {other}\n":
            known.write_text(content)
            Sftp.clear_instance_cache()  # the threads of earlier batches have connections
            result = dpid("batch", "in/a.png", f"{sftp}{photos}/x", "-s", "2")
            assert result.exit_code == 1 and is_one_error_line(result.stderr), result.stderr
            assert "known_hosts" in result.stderr or "does not match" in result.stderr
            assert not Path("x").exists()
    finally:
        known.write_text(before)


def test_sftp_connections_that_break(sftp, tmp_path):
    """Another one is made."""
    from dpid_cli.files.sftp import Sftp

    target = f"{sftp}{tmp_path}/deep/er/x"
    for round_ in range(2):
        with storage.written(target, overwrite=True) as stream:
            stream.write(b"%d" % round_)
        Sftp(**Sftp.options(sftp)).client.close()
        assert storage.length(target) == 1
    assert listing(tmp_path / "deep" / "er") == {"x": b"1"}


def test_sftp_reads_ahead(sftp, tmp_path, monkeypatch):
    """Pieces are asked for together, and come in order; also of what ends within one."""
    import paramiko

    from dpid_cli.files.sftp import Sftp

    waited = []
    request = paramiko.SFTPClient._request
    monkeypatch.setattr(
        paramiko.SFTPClient,
        "_request",
        lambda self, kind, *rest: waited.append(kind) or request(self, kind, *rest),
    )
    for size in 0, 1, 1 << 15, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 3_000_001:
        content = np.random.default_rng(size).bytes(size)
        (tmp_path / "x").write_bytes(content)
        for _ in range(10):  # on loopback, an answer may come before the next question
            waited.clear()
            with storage.opened(f"{sftp}{tmp_path}/x") as stream:
                assert stream.read(3) == content[:3]
                stream.seek(0)
                assert stream.read() == content
            if len(waited) <= 5 and paramiko.sftp.CMD_READ not in waited:  # open, twice the size, close
                break
        else:
            pytest.fail(f"{len(waited)} waits for {size} bytes")
    connection = Sftp(**Sftp.options(sftp)).client.get_transport().sock
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_sftp_leaves_nothing_of_what_fails(sftp, tmp_path):
    (tmp_path / "x").mkdir()
    with (
        pytest.raises(FileError, match="cannot be written"),
        storage.written(f"{sftp}{tmp_path}/x", overwrite=True) as stream,
    ):
        stream.write(b"a folder is there")
    assert listing(tmp_path) == {"x": None}
    with pytest.raises(FileError, match="is a folder"):
        storage.refuse(f"{sftp}{tmp_path}/x", "in", overwrite=True)


def test_sftp_links(dpid, sftp, photos):
    """To files they are followed, to folders not, as these may lead back."""
    os.symlink("a.png", "in/link.png")
    os.symlink("..", "in/loop")
    os.symlink("nowhere", "in/broken.png")
    result = dpid("batch", f"{sftp}{photos}/in", "out", "-r", "-s", "2", "-n", "--json", "--exclude", "e*")
    assert json.loads(result.stdout)["inputs"] == 7


def test_sftp_aliases_of_hosts(sftp, sftp_home, tmp_path):
    """As ``~/.ssh/config`` has them."""
    (tmp_path / "x").write_bytes(b"content")
    port = sftp.rpartition(":")[2]
    config = sftp_home[1] / ".ssh" / "config"
    user = sftp.removeprefix("sftp://").partition("@")[0]
    config.write_text(f"Host there\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n")
    try:
        assert storage.length(f"sftp://there{tmp_path}/x") == 7
    finally:
        config.unlink()
