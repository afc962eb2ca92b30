"""JSON schemas of what commands print as JSON and of the files that they write."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

# In the order of `dpid schema` and of the documentation.
SCHEMAS = ("downscale", "batch", "report", "video", "compare", "image", "info", "methods", "filter")


def schema(name: str) -> dict[str, Any]:
    """One of `SCHEMAS`, as JSON Schema draft 2020-12."""
    found: dict[str, Any] = json.loads(files(__package__).joinpath(f"{name}.json").read_text("utf-8"))
    return found
