"""CITATION.cff has the version of the package and cites the papers that docs/citing.md cites."""

from __future__ import annotations

import re

from dpid_cli import __version__
from support.command import ROOT
from support.pages import PAGES

CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
CITED = PAGES["docs/citing.md"]


def test_version():
    assert f"\nversion: {__version__}\n" in CITATION


def test_papers():
    titles = re.findall(r"^ +title += \{(.*)\},$", CITED, re.M)
    assert titles == re.findall(r"^    title: (.*)$", CITATION, re.M) and len(titles) == 2
    for family in re.findall(r"(\w+), \w", " ".join(re.findall(r"author += \{(.*?)\}", CITED, re.S))):
        assert f"family-names: {family}\n" in CITATION
    for value in re.findall(r"(?:doi|year) += \{(.*)\}", CITED):
        assert f": {value}\n" in CITATION
