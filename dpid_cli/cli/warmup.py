"""dpid warmup: compile the kernels before they are needed."""

from __future__ import annotations

import click

from dpid_cli.cli.console import on_terminal, say


@click.command("warmup")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(debug: bool) -> None:
    """Compile ahead what 'dpid downscale' needs for files, which takes some minutes once.

    Covers every method, 8 and 16 bits and floats, gray and colour, with and without transparency.
    The result is kept on disk: set DPID_CACHE_DIR to choose where.
    """
    from dpid_cli.kernels.jit import cache_counts
    from dpid_cli.warmup import cache, cases

    folder, all_cases = cache(), cases()
    for number, case in enumerate(all_cases, start=1):
        if on_terminal():
            say(f"{number}/{len(all_cases)} {case}")
        case.compile()
    compiled, found = cache_counts()
    click.echo(f"kernel cache  {folder}\ncompiled      {compiled}\nfound         {found}")
