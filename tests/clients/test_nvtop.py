#!/usr/bin/env python3
"""nvtop's screen against gpumem: the oldest calls of the driver (memory without its reserve apart, lists of 16 bytes an
entry), which every generation still has.
"""

from __future__ import annotations

import shutil
import signal
import unittest
from typing import Any

import cases
import gpumem_view
import nvtop_screen
import stage
from client_case import ClientCase

MIB = 2**20
ROWS = {"compute": ["Compute"], "graphics": ["Graphic"], "compute_and_graphics": ["Compute", "Graphic"]}


def rows(device: gpumem_view.Device) -> dict[str, int | None]:
    """A row for each list that a process is in."""
    return {
        f"{pid} {kind}": None if process.used is None else process.used // MIB
        for pid, process in (device.processes or {}).items()
        for kind in ROWS[process.kind]
    }


def memory(device: gpumem_view.Device) -> dict[str, int | None] | None:
    if device.used_meaning == "estimate":
        return None
    return {"used": device.used_with_reserved, "total": device.total}


def expected(devices: list[gpumem_view.Device]) -> dict[str, Any]:
    """nvtop knows no instances, leaves out what it cannot look up, and counts the rest."""
    seen = [device for device in devices if device.is_readable and not device.is_instance]
    return {
        f"index {index}": {"name": device.name, "memory": memory(device), "processes": rows(device)}
        for index, device in enumerate(seen)
    }


class Nvtop(ClientCase):
    client = "nvtop"

    def run_until(self, on: stage.Stage, by_gpumem: dict[str, Any]) -> dict[str, Any]:
        return self.shown(on, str(len(by_gpumem)), str(nvtop_screen.rows(by_gpumem)))

    def compare(self, case: cases.Case, devices: int) -> None:
        with self.subTest(case=str(case)), stage.staged(self.workshop, case.scenario, case.generation) as on:
            by_gpumem = expected(self.gpumem(on))
            self.assert_agree(self.run_until(on, by_gpumem)["devices"], by_gpumem, devices)

    def test_every_number_on_the_screen_is_the_same(self) -> None:
        for case in [*cases.PLAIN, *cases.OLDEST, *cases.EIGHT, *cases.GB10]:
            self.compare(case, case.devices)

    def test_a_difference_is_noticed(self) -> None:
        with stage.staged(self.workshop, "plain", "550") as on:
            by_gpumem = expected(self.gpumem(on))
            on.change('"70GiB"', '"71808MiB"')
            shown = self.run_until(on, by_gpumem)["devices"]
            self.assert_notices(shown, by_gpumem, ["index 1", "processes.", "71808", "71680", "nvtop"])
            used = by_gpumem["index 1"]["memory"]["used"]
            self.assert_notices(shown, by_gpumem, ["index 1", "memory.used", str(used + 128 * MIB), str(used)])

    def test_of_a_partitioned_gpu_it_knows_the_whole(self) -> None:
        for case in cases.MIG:
            self.compare(case, devices=1)

    def test_a_lost_gpu_is_left_out_and_the_other_shown(self) -> None:
        for lookup in cases.LOOKUPS:
            with self.subTest(lookup=lookup), stage.staged(self.workshop, "lost", "550") as on:
                on.change("lookup = 15", f"lookup = {lookup}")
                by_gpumem = expected(self.gpumem(on))
                self.assert_agree(self.run_until(on, by_gpumem)["devices"], by_gpumem, 1)

    def test_under_wsl_nvtop_aborts_and_gpumem_does_not(self) -> None:
        """It takes "not available" for an amount of memory, and an assertion of its own refuses that (3.0.1)."""
        for case in cases.WSL:
            with self.subTest(case=str(case)), stage.staged(self.workshop, case.scenario, case.generation) as on:
                (device,) = self.gpumem(on)
                self.assertEqual([process.used for process in (device.processes or {}).values()], [None])
                ended = self.shown(on, "1", "1")
                self.assertEqual((ended["runs"], ended["exit_code"]), (False, -signal.SIGABRT))


if __name__ == "__main__":
    ClientCase.workshop = stage.workshop_from_arguments()
    stage.require_python_clients(ClientCase.workshop)
    if not shutil.which("nvtop"):
        stage.skip("nvtop is not installed; scripts/install-clients does that")
    unittest.main()
