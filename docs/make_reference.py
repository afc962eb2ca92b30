"""Write the manual page, the page of commands and that of JSON schemas: ``python docs/make_reference.py``.

Run it when commands, options, their help or schemas have changed; a test says so.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from dpid_cli.cli import COMMANDS, main
from dpid_cli.cli.schemas import SCHEMAS, schema
from dpid_cli.cli.sections import Command
from dpid_cli.version import __version__

DOCS = Path(__file__).parent
EXIT_STATUS = {
    "0": "All images were done, or skipped on request.",
    "1": "At least one image failed; the others were done.",
    "2": "The command line is wrong; nothing was written.",
    "130": "Interrupted, as by Ctrl-C.",
    "141": "The program that reads standard output has ended.",
}
ENVIRONMENT = {
    "DPID_CACHE_DIR": "Folder of compiled kernels; see 'dpid cache'.",
    "TMPDIR": "Folder of temporary files of large batches.",
}
COMMANDS_START = """\
# Which commands and options are there?

`dpid COMMAND --help` prints what this page has. `python docs/make_reference.py` writes it from the commands.
"""
SCHEMAS_START = """\
# What does dpid print as JSON?

`dpid schema` lists the JSON schemas of what scripts may read, and `dpid schema NAME` prints one, in the
[draft 2020-12](https://json-schema.org/draft/2020-12/schema) of JSON Schema:

```sh
dpid schema
dpid schema report > report.schema.json
```

The number at the end of `$id` is the version of a schema. It grows when a key is removed or its meaning
changes. New keys may appear without that, so ignore keys that you do not know. Reports, and objects that are
printed one per image, are lines of JSON (JSONL).
"""


def roff(text: str) -> str:
    """Text that troff shows as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def paragraphs(text: str) -> Iterator[str]:
    """Help of a command; what follows a line with backspace keeps its lines."""
    for part in inspect.cleandoc(text).split("\n\n"):
        if part.startswith("\b"):
            lines = "\n".join(line.strip() for line in part.splitlines()[1:])
            yield f".PP\n.RS 4\n.nf\n{roff(lines)}\n.fi\n.RE"
        else:
            yield ".PP\n" + roff(" ".join(part.split()))


def entries(rows: dict[str, str]) -> Iterator[str]:
    """A list of names and what they mean."""
    for name, text in rows.items():
        yield f".TP\n.B {roff(name)}\n{roff(text)}"


def manual() -> str:
    """The page ``dpid.1`` with all commands."""
    group = click.Context(main, info_name="dpid", max_content_width=100, terminal_width=100)
    parts = [f'.TH DPID 1 "" "dpid-cli {__version__}" "User Commands"']
    parts += [".SH NAME", "dpid \\- detail\\-preserving image downscaling"]
    parts += [".SH SYNOPSIS", ".B dpid", ".I COMMAND", "[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]"]
    parts += [".SH DESCRIPTION", *paragraphs(main.help or "")]
    parts += [".SH COMMANDS", *entries(dict(COMMANDS))]
    for name in COMMANDS:
        command = main.get_command(group, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=group)
        usage = " ".join(command.collect_usage_pieces(context))
        parts += [f".SH DPID {roff(name.upper())}", ".PP", f".B dpid {name}", roff(usage)]
        parts += paragraphs(command.help or "")
        assert isinstance(command, Command)
        for title, rows in command.rows(context).items():
            parts += [f".SS {roff(title)}", *entries(dict(rows))]
    parts += [".SH EXIT STATUS", *entries(EXIT_STATUS), ".SH ENVIRONMENT", *entries(ENVIRONMENT)]
    return "\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, in a cell of a table or in a paragraph."""
    return re.sub(r"([\\`*_|<>\[\]$])", r"\\\1", text)


def commands() -> str:
    """The page ``commands.md`` with all commands, their arguments and options."""
    group = click.Context(main, info_name="dpid", max_content_width=100, terminal_width=100)
    parts = [COMMANDS_START]
    parts += ["| command | what it does |", "|---|---|"]
    parts += [f"| [`dpid {name}`](#dpid-{name}) | {escaped(text)} |" for name, text in COMMANDS.items()]
    for name in COMMANDS:
        command = main.get_command(group, name)
        assert isinstance(command, Command)
        context = click.Context(command, info_name=name, parent=group)
        usage = " ".join(command.collect_usage_pieces(context))
        parts += ["", f"## dpid {name}", "", f"```\ndpid {name} {usage}\n```", ""]
        parts += [described(command.help or "")]
        for title, rows in command.rows(context).items():
            parts += ["", f"### {title}", "", "| option | meaning |", "|---|---|"]
            for option, text in rows:
                code = option.replace("|", "\\|")  # which would end the cell, even in code
                parts.append(f"| `{code}` | {escaped(' '.join(text.split()))} |")
    return "\n".join(parts) + "\n"


def described(text: str) -> str:
    """Help of a command in Markdown; what follows a line with backspace keeps its lines."""
    parts = []
    for part in inspect.cleandoc(text).split("\n\n"):
        lines = "\n".join(line.strip() for line in part.splitlines()[1:])
        parts.append(f"```\n{lines}\n```" if part.startswith("\b") else escaped(" ".join(part.split())))
    return "\n\n".join(parts)


def kind(value: dict[str, Any]) -> str:
    """The type of a key in words."""
    if "oneOf" in value:
        return " or ".join(map(kind, value["oneOf"]))
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    if "prefixItems" in value:
        return "[width, height]"
    types = value["type"] if isinstance(value["type"], list) else [value["type"]]
    inside = value.get("items")
    many = f"array of {kind(inside)}" if inside and len(types) == 1 else "array"
    return " or ".join(many if each == "array" else each for each in types)


def schemas() -> str:
    """The page ``schemas.md``."""
    parts = [SCHEMAS_START]
    for name in SCHEMAS:
        found = schema(name)
        version = found["$id"].rpartition(":")[2]
        parts.append(f"## {name}\n\n{found['title']}. Version {version}.\n")
        rows = [
            f"| `{key}` | {kind(value)} | {value['description']} |"
            for key, value in found["properties"].items()
        ]
        parts.append("\n".join(["| key | type | meaning |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    (DOCS / "commands.md").write_text(commands())
    (DOCS / "dpid.1").write_text(manual())
    (DOCS / "schemas.md").write_text(schemas())
