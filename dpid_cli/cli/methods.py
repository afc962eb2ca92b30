"""dpid methods: the table of methods."""

from __future__ import annotations

import json

import click

from dpid_cli.cli.console import shown
from dpid_cli.downscaling.registry import METHODS, PARAMETERS


@click.command("methods")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per method.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(as_json: bool, debug: bool) -> None:
    """List the methods, where they come from, and their parameters with defaults."""
    width = max(map(len, METHODS))
    for method in METHODS.values():
        defaults = {PARAMETERS[name].label: value for name, value in method.defaults.items()}
        if as_json:
            facts = {
                "name": method.name,
                "summary": method.summary,
                "source": method.source,
                "parameters": defaults,
            }
            click.echo(json.dumps(facts))
            continue
        click.echo(f"{method.name:{width}}  {method.summary} ({method.source})")
        if defaults:
            told = "  ".join(
                f"[--{name}]" if value is None else f"--{name} {shown(value)}"
                for name, value in defaults.items()
            )
            click.echo(f"{'':{width}}  {told}")
