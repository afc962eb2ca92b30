"""The table of codecs and containers is what PyAV can write."""

from __future__ import annotations

import io

import pytest

from dpid_cli.video.codecs import CODECS, CONTAINERS
from support.command import ROOT

PAIRS = [(container, name) for container, names in CONTAINERS.values() for name in names]


@pytest.mark.parametrize(("container", "name"), PAIRS)
def test_every_container_takes_its_codecs(container, name):
    import av

    for encoder in filter(None, (CODECS[name].encoder, CODECS[name].rgb_encoder)):
        with av.open(io.BytesIO(), "w", format=container) as output:
            output.add_stream(encoder)


def test_the_page_has_the_same_table():
    page = (ROOT / "docs/video.md").read_text()
    for name, codec in CODECS.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        endings = [ending for ending, (_, names) in CONTAINERS.items() if name in names]
        assert f"| {', '.join(endings)} |" in row
        assert codec.crf is None or f"`--crf {codec.crf}`" in row
