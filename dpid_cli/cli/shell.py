"""dpid completion, schema: what shells and scripts need of the command."""

from __future__ import annotations

import json
import os
from pathlib import PurePath

import click

from dpid_cli.cli.console import echo
from dpid_cli.cli.schemas import SCHEMAS, schema
from dpid_cli.cli.sections import Choice, Command
from dpid_cli.errors import ArgumentError

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=Command)
@click.argument("shell", required=False, type=Choice(SHELLS), metavar="[bash|zsh|fish]")
@click.pass_context
def completion_command(ctx: click.Context, shell: str | None) -> None:
    """Print a script that completes commands, options and values.

    Without a name, for the shell that SHELL names. To use it in every new shell:

    \b
      echo 'eval "$(dpid completion bash)"' >> ~/.bashrc
      echo 'eval "$(dpid completion zsh)"' >> ~/.zshrc
      dpid completion fish > ~/.config/fish/completions/dpid.fish
    """
    from click.shell_completion import get_completion_class

    name = shell or PurePath(os.environ.get("SHELL", "")).name
    found = get_completion_class(name) if name in SHELLS else None
    if found is None:
        raise ArgumentError(f"dpid completion: no script for {name or 'this shell'}: use bash, zsh or fish")
    echo(found(ctx.find_root().command, {}, "dpid", "_DPID_COMPLETE").source())


@click.command("schema", cls=Command)
@click.argument("name", required=False, type=Choice(SCHEMAS), metavar="[NAME]")
def schema_command(name: str | None) -> None:
    """Print the JSON schema of an output of dpid, or list all schemas.

    The number at the end of "$id" grows when a key is removed or its meaning changes; keys may be added.
    """
    if name is None:
        width = max(map(len, SCHEMAS))
        for each in SCHEMAS:
            echo(f"{each:{width}}  {schema(each)['title']}")
    else:
        echo(json.dumps(schema(name), indent=2))
