"""What gpumem itself costs: CPU and resident memory of `gpumem watch` at several paces."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from .gpumem import Gpumem
from .markdown import MIB, Section, table

PACES = {"1 Hz": "1s", "10 Hz": "100ms", "100 Hz": "10ms"}
START_S = 2.0


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _measure(gpumem: Gpumem, interval: str, lasting_s: float) -> list[str]:
    command = ["watch", "--json", "--source", "nvml", "--interval", interval]
    watch = gpumem.start(*command, stdout=subprocess.PIPE)
    reader = subprocess.Popen(["grep", "-c", '"type":"reading"'], stdin=watch.stdout, stdout=subprocess.PIPE, text=True)
    assert watch.stdout
    watch.stdout.close()
    time.sleep(START_S)
    cpu, begun = _cpu_seconds(watch.pid), time.monotonic()
    time.sleep(lasting_s)
    used, passed = _cpu_seconds(watch.pid) - cpu, time.monotonic() - begun
    resident = _resident_bytes(watch.pid)
    watch.terminate()
    watch.wait(timeout=30)
    readings = int(reader.communicate(timeout=30)[0])
    return [f"{100 * used / passed:.2f} %", f"{resident / MIB:.1f} MiB", f"{readings:,}"]


def section(gpumem: Gpumem, devices: int, lasting_s: float) -> Section:
    rows = [[name, *_measure(gpumem, interval, lasting_s)] for name, interval in PACES.items()]
    explanation = (
        f"`gpumem watch --json` of {devices} device(s), for {lasting_s:g} s each after {START_S:g} s of starting. "
        "CPU in percent of one core, by the kernel's count; what the driver spends in its calls is in it."
    )
    head = ["pace", "CPU", "resident", "readings in all"]
    return Section("What gpumem itself costs", [explanation, "", *table(head, rows)])
