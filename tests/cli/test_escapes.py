"""Names with control characters, on a terminal: every command shows them, and the terminal obeys none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from support.folders import make
from support.terminal import session

pytestmark = pytest.mark.soak
NAME = "a\x1b]0;owned\x07\x1b[2J\x9b31m\rb\u202egnp.\u2066"  # title, erase, colour, return, right to left
COMMANDS = (
    ("downscale", f"{NAME}.png", "-s", "2", "-o", "out/"),
    ("downscale", f"{NAME}.png", "-s", "2", "-o", "out/", "--json", "--overwrite"),
    ("downscale", f"{NAME}x.png", "-s", "2"),
    ("downscale", f"{NAME}.png", "-s", NAME),
    ("downscale", f"{NAME}.png", "-s", "2", "--guidance", f"{NAME}.json"),
    ("downscale", "marked.png", "-s", "2", "-o", f"{NAME}.jpg"),
    ("downscale", f"in/{NAME}.bmp", "-s", "2", "--debug"),
    ("downscale", f"--{NAME}"),
    (NAME,),
    (f"{NAME}.png",),
    ("in",),
    ("batch", "in", NAME, "-r", "-s", "2", "-v"),
    ("batch", "in", f"{NAME}2", "-r", "-s", "2", "-n"),
    ("batch", "in", f"{NAME}3", "-r", "-s", "2", "--report", f"{NAME}.jsonl", "--debug"),
    ("batch", "in", f"{NAME}3", "-r", "-s", "2", "--report", f"{NAME}.jsonl", "--resume", "--json"),
    ("batch", f"{NAME}x", "out", "-s", "2"),
    ("batch", "in", "out", "-s", "2", "--include", f"{NAME}[z-a]"),
    ("compare", f"{NAME}.png", "-s", "2"),
    ("compare", "in", "-s", "2", "-o", f"{NAME}.html", "--csv", f"{NAME}.csv"),
    ("compare", "--votes", f"{NAME}.json"),
    ("compare", "--votes", "votes.json"),
    ("info", f"{NAME}.png"),
    ("info", "marked.png"),
    ("info", f"in/{NAME}.bmp"),
    ("learn", f"{NAME}.json", "-s", "2", "-o", "filter.json"),
    ("methods", NAME),
    ("help", NAME),
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Images and other files with this name, or with this text in them."""
    folder = tmp_path_factory.mktemp("escapes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in f"{NAME}.png", f"in/{NAME}.png", f"in/{NAME}/{NAME}.png":
            make(name)
        for name in f"in/{NAME}.bmp", f"in/{NAME}.txt", f"{NAME}.json":
            Path(name).write_bytes(b"no image")
        image = Image.new("RGB", (40, 40))
        tags = image.getexif()
        tags[0x131] = tags[0x10E] = NAME
        image.save("marked.png", exif=tags)
        vote = {"number": 1, "image": NAME, "left": NAME, "right": "b", "choice": "left"}
        facts = {"format": "dpid votes", "session": NAME, "participant": NAME, "question": NAME}
        Path("votes.json").write_text(json.dumps(facts | {"votes": [vote]}))
        yield folder


@pytest.mark.parametrize("words", COMMANDS, ids=[re.sub(r"[^ -~]", "?", " ".join(c)) for c in COMMANDS])
@pytest.mark.usefixtures("inputs")
def test_no_command_sends_control_characters_of_names(words):
    shown = session(*words, columns=100)
    text = shown.written.decode()
    assert {c for c in text if not c.isprintable()} <= {"\r", "\n"} and "\rb" not in text
    assert shown.code in (0, 1, 2) and text
    assert "internal error" not in text and ("Traceback" in text) <= ("--debug" in words)
