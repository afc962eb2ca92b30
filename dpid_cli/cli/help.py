"""dpid help: what --help shows, asked for by another name."""

from __future__ import annotations

import click

from dpid_cli.cli.sections import Command


@click.command("help", cls=Command)
@click.argument("name", required=False, metavar="[COMMAND]")
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """Show this help, or the help of a command."""
    above = ctx.parent
    assert above is not None and isinstance(above.command, click.Group)  # noqa: S101  # a command of the group
    if name is not None:
        _, found, _ = above.command.resolve_command(above, [name])
        assert found is not None  # noqa: S101  # or an error was raised
        above = click.Context(found, above, name)
    click.echo(above.get_help())
