"""Runs nvtop on a terminal of its own until it shows as many devices and process rows as asked for, or a deadline has
passed, and prints what it shows by index. With DEVICES ROWS on the command line.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

import pyte

import nvtop_screen

COLUMNS, LINES = 200, 120
DEADLINE_S = 10.0
# nvtop writes a whole frame at once, ten times a second; a gap as long as this lies between two frames.
GAP_S = 0.03


def start() -> tuple[int, int]:
    """The process and its terminal, which has its size before nvtop looks."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    pid = os.fork()
    if pid == 0:
        os.close(master)
        take(terminal)
        os.environ["TERM"] = "xterm"
        os.execvp("nvtop", ["nvtop", "--no-plot", "--no-color", "--delay", "1"])
    os.close(terminal)
    return pid, master


def take(terminal: int) -> None:
    """Makes it this process's own terminal, as os.login_tty does in newer Pythons."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for stream in range(3):
        os.dup2(terminal, stream)


def read_some(terminal: int, timeout_s: float) -> bytes | None:
    """Nothing within the time: empty. The other side has gone: None."""
    if not select.select([terminal], [], [], timeout_s)[0]:
        return b""
    try:
        return os.read(terminal, 65536) or None
    except OSError:
        return None


def watch(terminal: int, is_complete: Callable[[dict[str, Any]], bool]) -> tuple[dict[str, Any], bool]:
    """What is shown when complete, or at the end; and whether nvtop still runs."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    shown: dict[str, Any] = {}
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        data = read_some(terminal, GAP_S)
        if data is None:
            return shown, False
        stream.feed(data)
        if data:
            continue
        shown = nvtop_screen.devices(screen.display)
        if is_complete(shown):
            break
    return shown, True


def finish(pid: int, terminal: int) -> int:
    """Its exit code, negative for a signal; it is told to quit, and its output read so that it can."""
    with contextlib.suppress(OSError):
        os.write(terminal, b"q")
    while read_some(terminal, DEADLINE_S):
        pass
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    devices, rows = int(sys.argv[1]), int(sys.argv[2])
    pid, terminal = start()
    shown, runs = watch(terminal, lambda seen: len(seen) == devices and nvtop_screen.rows(seen) == rows)
    code = finish(pid, terminal)
    print(json.dumps({"runs": runs, "exit_code": code, "devices": shown}))


main()
