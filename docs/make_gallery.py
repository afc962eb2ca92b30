"""Draw the sheets of docs/gallery.md and docs/choosing.md: `python docs/make_gallery.py`."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from dpid_cli.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("gallery", "choosing")


def commands(page: str) -> list[list[str]]:
    """The arguments of every `dpid` command on a page."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    lines = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)).splitlines()
    return [shlex.split(line)[1:] for line in lines]


if __name__ == "__main__":
    os.chdir(ROOT)
    for page in PAGES:
        for words in commands(page):
            main(words, standalone_mode=False)
