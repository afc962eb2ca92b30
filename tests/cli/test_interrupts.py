"""Ctrl-C while C code runs ends the command at once, and leaves nothing."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from PIL import Image

from support.command import default_signals

# Call a function only after C code that takes far too long and hears no signals; then press Ctrl-C.
CODE = """
import hashlib, importlib, os, signal, sys, threading, time
module, name, function = sys.argv.pop(1).split(":")
owner = getattr(importlib.import_module(module), name)
original = getattr(owner, function)
def interrupt():
    print(time.monotonic(), flush=True)
    os.kill(os.getpid(), signal.SIGINT)
def called(*words, **options):
    threading.Timer(0.2, interrupt).start()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**27)
    return original(*words, **options)
setattr(owner, function, called)
from dpid_cli.cli import main
sys.argv[0] = "dpid"
main()
"""


@pytest.mark.parametrize(
    ("moment", "input_", "output"),
    [
        ("dpid_cli.pictures.codecs.webp:Webp:encode", "photo.png", "o.webp"),
        ("PIL.WebPImagePlugin:WebPImageFile:load", "photo.webp", "o.png"),
        ("PIL.JpegImagePlugin:JpegImageFile:load", "photo.jpg", "o.png"),
    ],
    ids=["encoding", "decoding", "decoding ahead"],
)
def test_ctrl_c_ends_at_once(photo, tmp_path, moment, input_, output):
    with Image.open(photo) as image:
        image.convert("RGB").save(input_)
    words = "downscale", input_, "-s", "2", "-o", str(tmp_path / "out" / output)
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", CODE, moment, *words],
        capture_output=True, text=True, timeout=60, preexec_fn=default_signals,
    )  # fmt: skip
    ended = time.monotonic()
    assert (done.returncode, done.stderr.strip()) == (130, "")
    assert ended - float(done.stdout.split()[0]) < 5  # on a busy machine; the code would take a minute
    assert not any((tmp_path / "out").iterdir())


def test_ctrl_c_while_a_class_is_defined():
    """Python turns what is raised there into a RuntimeError."""
    code = """
import sys
from dpid_cli.cli import about, main
def interrupted():
    raise RuntimeError("Error calling __set_name__") from KeyboardInterrupt()
about.facts = interrupted
main(["info"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
