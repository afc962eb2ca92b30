"""dpid methods: the table of methods."""

from __future__ import annotations

import json

import click

from dpid_cli.cli.options import DEBUG, explained
from dpid_cli.cli.sections import Command, option, write_section
from dpid_cli.downscaling.registry import METHODS, PARAMETERS


@click.command(
    "methods",
    cls=Command,
    params=[option("--json", "Print one JSON object per method.", name="as_json"), DEBUG],
)
@click.pass_context
def command(ctx: click.Context, as_json: bool, debug: bool) -> None:
    """List the methods and their parameters, with sources and defaults."""
    if as_json:
        for method in METHODS.values():
            defaults = {PARAMETERS[name].label: value for name, value in method.defaults.items()}
            facts = {"name": method.name, "summary": method.summary, "source": method.source}
            click.echo(json.dumps(facts | {"parameters": defaults}))
        return
    formatter = ctx.make_formatter()
    write_section(formatter, "Methods", [(m.name, f"{m.summary} ({m.source})") for m in METHODS.values()], 11)
    rows = [(f"--{p.label}", "{}  [default: {}]".format(*explained(p))) for p in PARAMETERS.values()]
    write_section(formatter, "Parameters", rows, 11)
    click.echo(formatter.getvalue(), nl=False)
