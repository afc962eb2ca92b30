"""Commands in the documentation parse, and the options, scripts and modules that they name exist."""

from __future__ import annotations

import re
import subprocess
import tomllib

import click
import pytest

from dpid_cli.cli import main
from support.command import ROOT
from support.pages import PAGES, commands, prose, scripts

SCRIPTS = [(page, script) for page, text in PAGES.items() for script in scripts(text)]
COMMANDS = [(page, words) for page, script in SCRIPTS for words in commands(script) if words]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
GROUP = click.Context(main, info_name="dpid", **main.context_settings)  # Click keeps its help options
SCRIPTS_WITH_OPTIONS = ("tests/benchmarks/report.py", "tests/support/digests.py", "docs/studies/pooling.py")


def subcommands() -> dict[str, click.Command]:
    return {name: main.get_command(GROUP, name) for name in main.list_commands(GROUP)}


def options() -> set[str]:
    """Every option of every command, and of the scripts that the pages name."""
    parameters = [*main.get_params(GROUP)]
    for command in subcommands().values():
        parameters += command.get_params(GROUP)
    named = {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)}
    sources = [(ROOT / script).read_text() for script in SCRIPTS_WITH_OPTIONS]
    return named | {name for source in sources for name in re.findall(r'"(--[a-z-]+)"', source)}


def called(program: str) -> list[tuple[str, list[str]]]:
    """What follows a program in every command that runs it, behind a pipe or not."""
    return [(page, words[1:]) for page, words in COMMANDS if words[0] == program]


def test_commands_are_found():
    assert {"README.md", "docs/batch.md", "docs/usage.md"} <= {page for page, _ in called("dpid")}
    assert called("python")


@pytest.mark.parametrize(("page", "script"), SCRIPTS)
def test_a_block_is_shell(page, script):
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("page", "words"), called("dpid"))
def test_dpid_takes_these_options(page, words):
    """As the command line would take them, from names to values; nothing runs."""
    name, *arguments = (re.sub(r"\$\w+", "1", word) for word in words)
    subcommands()[name].make_context(name, arguments, parent=GROUP)


@pytest.mark.parametrize(("page", "words"), called("python"))
def test_python_finds_these(page, words):
    match words:
        case ["-m", "pip", "install", *arguments]:
            named = {extra for word in arguments for extra in re.findall(r"\[(.+?)\]", word)}
            assert {part for extra in named for part in extra.split(",")} <= EXTRAS.keys()
        case ["-m", "pytest", *arguments]:
            paths = [word for word in arguments if word.startswith("tests/")]
            assert all((ROOT / path).exists() for path in paths)
        case ["-m", "venv" | "pip" | "sphinx" | "http.server", *_]:
            pass
        case ["-m", module, *_]:
            assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()
        case [script, *_]:
            assert (ROOT / script).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_options_in_the_prose_exist(page):
    """Of code that begins with an option, or with dpid; other programs have other options."""
    code = re.findall(r"`((?:dpid |-)[^`]*)`", prose(PAGES[page]))
    named = {name for part in code for name in re.findall(r"(?<![\w-])--[a-z][a-z-]*", part)}
    assert named <= options()
