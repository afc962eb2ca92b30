"""The page of the study of poolings is what its results give."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

STUDIES = Path(__file__).resolve().parents[2] / "docs" / "studies"


def test_page(monkeypatch):
    monkeypatch.syspath_prepend(str(STUDIES))
    import pooling_page

    results = [
        json.loads(line) for line in (STUDIES / "pooling.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    page = pooling_page.PAGE.read_text(encoding="utf-8")
    assert page == pooling_page.render(results)
    for figure in ("errors", "learned"):
        assert (pooling_page.FIGURES / f"{figure}.svg").read_text(encoding="utf-8").startswith("<?xml")
    # Whatever the page says, it says of at least three seeds of each.
    runs = {(line["network"], line["pooling"], line["seed"]) for line in results}
    assert len(runs) == len(results) >= 3 * 3 * 16
    vgg = [line["error"] for line in results if (line["network"], line["pooling"]) == ("vgg", "max")]
    assert f"| max | {mean(vgg):.1f} ± " in page
