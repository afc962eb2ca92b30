"""Run a command in its own process, and print its times and its peak memory as JSON.

Linux includes the memory of the process that starts a command in the command's peak. The report holds large
images; this script, run by a bare interpreter, holds nothing.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(command: list[str]) -> int:
    """Print wall-clock seconds, CPU seconds and peak bytes of one run."""
    start = time.perf_counter()
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=silent)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    used = {"wall": wall, "processor": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * unit}
    print(json.dumps(used))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
