"""What all pages share: the files that they are made of, and what a browser lets them do."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from dpid_cli.files.streams import called

SUFFIXES = (".html", ".htm")


def asset(name: str) -> str:
    """The content of a file in ``assets``."""
    return (files("dpid_cli.compare") / "assets" / name).read_text(encoding="utf-8")


def name_of(source: str) -> str:
    """The name of an input without its folders, for pages that others read."""
    return Path(called(source)).name


def script_of(*names: str) -> str:
    """The parts of a script, one after the other, without indentation and comments."""
    lines = (line.strip() for name in names for line in asset(name).splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def style_of(*names: str) -> str:
    """The parts of a style, in one line."""
    return " ".join(word for name in names for word in asset(name).split())


def policy(css: str, *scripts: str) -> str:
    """What a page may do: use this style, run these scripts and their workers, and load nothing."""
    rules = ["default-src 'none'", "img-src data:", f"style-src {_hash(css)}"]
    if scripts:
        rules += [f"script-src {' '.join(map(_hash, scripts))}", "worker-src blob:"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    """A source of a policy that allows exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
