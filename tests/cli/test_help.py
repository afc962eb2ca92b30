"""What --help shows: sections, columns and widths, whatever the sentences say."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout

import click
import pytest

from dpid_cli.cli import COMMANDS, main
from dpid_cli.cli.sections import SECTIONS
from dpid_cli.downscaling.registry import METHODS, PARAMETERS
from support.command import is_one_error_line

MANY = 12  # options of a command that has sections


def help_of(name: str, columns: int = 100) -> str:
    """What a terminal of this width shows; Click's runner for tests has a width of its own."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as shown:
        patch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit, match=r"^0$"):
            main([*name.split(), "--help"], prog_name="dpid")
    return shown.getvalue()


def command(name: str) -> click.Command:
    return main.get_command(click.Context(main), name)


def options(name: str) -> list[click.Option]:
    """The options that a command shows, the one for help too."""
    found = command(name)
    shown = found.get_params(click.Context(found, info_name=name))
    return [option for option in shown if isinstance(option, click.Option)]


def sections(text: str) -> dict[str, dict[str, list[str]]]:
    """From the text of help: by title, the lines about each option, by its longest name."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in text.splitlines():
        if title := re.fullmatch(r"(\S.*):", line):
            entries = found.setdefault(title[1], {})
        elif found and (names := re.match(r"  (-\S.*?)(?:  |$)", line)):
            lines = entries.setdefault(max(re.findall(r"--?[\w-]+", names[1]), key=len), [])
            lines += [line[names.end() :].strip()] * (names.end() < len(line))
        elif found and line:
            lines.append(line.strip())
    return found


@pytest.fixture(params=COMMANDS)
def name(request) -> str:
    return request.param


WIDTHS = pytest.mark.parametrize("columns", [60, 80, 100, 200])


def test_every_option_is_in_one_section(name):
    shown = sections(help_of(name))
    titles = [title for title, entries in shown.items() for _ in entries]
    names = [name for entries in shown.values() for name in entries]
    assert len(set(names)) == len(names) == len(options(name))
    assert set(names) == {max(o.opts + o.secondary_opts, key=len) for o in options(name)}
    few = len(names) <= MANY
    assert list(shown) == (["Options"] if few else [title for title in SECTIONS if title in titles])
    assert set(titles) == set(shown)


def test_sections_of_the_commands():
    common = ["Size", "Method", "Colour and alpha", "Output", "Metadata", "Input limits", "Running"]
    assert list(sections(help_of("downscale"))) == common
    assert list(sections(help_of("batch"))) == ["Inputs", *common]


def test_every_option_has_help_of_two_lines(name):
    for entries in sections(help_of(name, 100)).values():
        for option, lines in entries.items():
            assert 1 <= len(lines) <= 2 and lines[0][0].isalnum(), option
            assert re.search(r"[.\]]$", lines[-1]), option


@WIDTHS
def test_help_keeps_to_the_terminal(name, columns):
    width = min(columns, 100)
    for line in help_of(name, columns).splitlines():
        names_alone = re.fullmatch(r"  -[^ ].*", line) and "  " not in line.strip()
        example = line.startswith("    ") and "dpid" in line
        assert len(line) <= width or names_alone or (example and len(line) <= 80), line


@WIDTHS
def test_names_of_options_are_not_broken(name, columns):
    assert not re.search(r"[\w-]-\n", help_of(name, columns))


@WIDTHS
def test_help_uses_the_width(columns):
    assert max(map(len, help_of("batch", columns).splitlines())) > min(columns, 100) - 10


def test_summaries_are_whole():
    listed = help_of("", 80).split("\nCommands:\n")[1].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    for line in listed:
        whole = command(line.split()[0]).help.partition("\n")[0]
        assert line.endswith(f"  {whole}") and whole.endswith(".")


@pytest.mark.parametrize("command_name", ["downscale", "batch"])
def test_methods_are_not_listed_in_the_column_of_names(command_name):
    (line,) = (line for line in help_of(command_name).splitlines() if "--method" in line)
    assert line.startswith("  -m, --method METHOD  ") and "'dpid methods'" in line


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=lambda parameter: parameter.name)
def test_help_tells_which_methods_take_a_parameter(dpid, parameter):
    told = " ".join(sections(help_of("downscale"))["Method"][f"--{parameter.label}"])
    text = re.sub(r"\s+", " ", dpid("methods").stdout.partition("\nParameters:\n")[2])
    everywhere = re.search(rf"--{parameter.label} .*?\[default: [^]]*\]", text)[0]
    owners = [method.name for method in METHODS.values() if parameter.name in method.defaults]
    for name in owners:
        assert re.search(rf"\b{name}\b", everywhere)
    counted = re.search(r" and (\d+) more\)", told)
    named = [name for name in owners if re.search(rf"\b{name}\b", told)]
    assert len(named) + (int(counted[1]) if counted else 0) == len(owners)


def test_defaults_are_told(name):
    text = re.sub(r"\s+", " ", help_of(name))
    for option in options(name):
        default = option.get_default(click.Context(command(name)), call=False)
        if isinstance(default, str | int) and not isinstance(default, bool):
            assert f"[default: {default}]" in text, option.name


def test_help_command(dpid, name):
    for words in (name, "--help"), ("help", name):
        result = dpid(*words)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith(f"Usage: dpid {name} ")
        assert result.stdout == dpid(name, "-h").stdout
    assert dpid("help").stdout == dpid("--help").stdout


@pytest.mark.parametrize("words", ["", "downscale", "batch", "compare", "learn"])
def test_commands_without_arguments_explain_themselves(dpid, words):
    result = dpid(*words.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == dpid(*words.split(), "--help").stdout


def test_help_of_what_is_no_command(dpid):
    result = dpid("help", "downscael")
    assert (result.exit_code, result.stdout) == (2, "")
    assert is_one_error_line(result.stderr) and "did you mean downscale?" in result.stderr
