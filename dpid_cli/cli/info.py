"""dpid info: what this installation is and can do."""

from __future__ import annotations

import json

import click


@click.command("info")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(as_json: bool, debug: bool) -> None:
    """Show versions, threads, CUDA and where compiled kernels are cached."""
    from dpid_cli.info import facts

    found = facts()
    if as_json:
        click.echo(json.dumps(found))
        return
    width = max(map(len, found))
    for name, value in found.items():
        click.echo(f"{name:{width}}  {value}")
