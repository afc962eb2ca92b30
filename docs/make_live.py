"""Write docs/live.html, the page of one's own image: `python docs/make_live.py`."""

from __future__ import annotations

from pathlib import Path

from dpid_cli.cli import main

PAGE = Path(__file__).resolve().parent / "live.html"

if __name__ == "__main__":
    main(["compare", "--page", str(PAGE), "--overwrite"], standalone_mode=False)
