"""dpid warmup: compile the kernels before they are needed."""

from __future__ import annotations

import click

from dpid_cli.cli.console import on_terminal, say
from dpid_cli.cli.options import DEBUG, device_option
from dpid_cli.cli.sections import Command


@click.command("warmup", cls=Command, params=[device_option("cpu", "cuda"), DEBUG])
def command(device: str, debug: bool) -> None:
    """Compile all kernels now, so that later runs start at once.

    This takes some minutes. It covers every method, 8 and 16 bits and floats, gray and colour, with and
    without alpha. The kernels are cached on disk; DPID_CACHE_DIR sets the folder.
    """
    from dpid_cli.downscaling.warmup import cache, cases, counts

    folder, all_cases = cache(device), cases(device)
    for number, case in enumerate(all_cases, start=1):
        if on_terminal():
            say(f"{number}/{len(all_cases)} {case}")
        case.compile()
    compiled, found = counts(device)
    click.echo(f"kernel cache  {folder}\ncompiled      {compiled}\nfound         {found}")
