"""``python -m dpid_cli``: the command `dpid`, where no script of that name is on the path."""

from __future__ import annotations

from dpid_cli.cli import main

if __name__ == "__main__":
    main()
