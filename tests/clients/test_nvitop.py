#!/usr/bin/env python3
"""nvitop's library, which knows the driver's generations itself, against gpumem."""

from __future__ import annotations

import unittest
from dataclasses import replace
from typing import Any

import cases
import gpumem_view
import stage
from client_case import ClientCase

TYPE = {"compute": "C", "graphics": "G", "compute_and_graphics": "C+G"}
NOTHING = {"total": None, "free": None, "used": None, "reserved": None}


def processes(device: gpumem_view.Device) -> dict[str, Any]:
    listed = device.processes or {}
    return {str(pid): {"used": process.used, "type": TYPE[process.kind]} for pid, process in listed.items()}


def expected(device: gpumem_view.Device) -> dict[str, Any]:
    return {
        "name": device.name,
        "pci_address": device.pci_address,
        "memory": {
            "total": device.total,
            "free": device.free,
            "used": device.used,
            "reserved": device.reserved,
        },
        "processes": processes(device),
    }


class Nvitop(ClientCase):
    client = "nvitop"

    def test_every_number_is_the_same(self) -> None:
        for case in [*cases.PLAIN, *cases.WSL, *cases.EIGHT]:
            with self.subTest(case=str(case)), stage.staged(self.workshop, case.scenario, case.generation) as on:
                by_gpumem = {device.uuid: expected(device) for device in self.gpumem(on)}
                self.assert_agree(self.shown(on), by_gpumem, case.devices)

    def test_a_difference_is_noticed(self) -> None:
        with stage.staged(self.workshop, "plain", "550") as on:
            by_gpumem = {device.uuid: expected(device) for device in self.gpumem(on)}
            on.change('"384MiB"', '"385MiB"')
            first = next(iter(by_gpumem))
            parts = [first, "memory.reserved", str(385 * 2**20), str(384 * 2**20), "nvitop"]
            self.assert_notices(self.shown(on), by_gpumem, parts)

    def test_instances_are_the_same_up_to_the_first_empty_slot(self) -> None:
        """nvitop stops looking at an empty slot (device.py, mig_devices); the instance after it is gpumem's alone."""
        for case in cases.MIG:
            with self.subTest(case=str(case)), stage.staged(self.workshop, case.scenario, case.generation) as on:
                devices = self.gpumem(on)
                self.assertEqual(len(devices), case.devices)
                behind_the_gap = devices[-1]
                self.assertTrue(behind_the_gap.is_instance)
                by_gpumem = {device.uuid: expected(device) for device in devices if device is not behind_the_gap}
                self.assert_agree(self.shown(on), by_gpumem, case.devices - 1)

    def test_shared_memory_is_the_hosts_to_nvitop_and_an_estimate_to_gpumem(self) -> None:
        """Free is what the host has available, to both. nvitop counts all that is not as used, also what other programs
        have; gpumem counts the processes of the GPU.
        """
        for case in cases.GB10:
            with self.subTest(case=str(case)), stage.staged(self.workshop, case.scenario, case.generation) as on:
                (device,) = self.gpumem(on)
                shown = self.shown(on)[device.uuid]
                self.assertEqual(shown["processes"], processes(device))
                free = shown["memory"]["free"]
                self.assertAlmostEqual(device.free or 0, free, delta=free // 10)

    def test_a_lost_gpu_has_no_numbers(self) -> None:
        for lookup in cases.LOOKUPS:
            with self.subTest(lookup=lookup), stage.staged(self.workshop, "lost", "550") as on:
                on.change("lookup = 15", f"lookup = {lookup}")
                there, lost = self.gpumem(on)
                shown = self.shown(on)
                nameless = shown.pop("index 1")
                self.assertEqual((nameless["memory"], nameless["processes"]), (NOTHING, {}))
                self.assertEqual(shown, {there.uuid: expected(there)})
                self.assertFalse(lost.is_readable)

    def test_it_does_not_ask_for_processes_behind_mps(self) -> None:
        """gpumem does, and `clients.pynvml` agrees with it; of the other two lists nvitop says the same."""
        for case in cases.MPS:
            with self.subTest(case=str(case)), stage.staged(self.workshop, case.scenario, case.generation) as on:
                (device,) = self.gpumem(on)
                listed = device.processes or {}
                self.assertEqual(sorted(process.kind for process in listed.values()), ["compute", "mps", "mps"])
                others = {pid: process for pid, process in listed.items() if process.kind != "mps"}
                self.assert_agree(self.shown(on), {device.uuid: expected(replace(device, processes=others))}, 1)

    def test_it_uses_what_the_generation_has(self) -> None:
        """Else it would prove less than it seems to."""
        for generation in cases.EVERY_GENERATION:
            with self.subTest(generation=generation), stage.staged(self.workshop, "plain", generation) as on:
                self.shown(on)
                is_old = generation == "470"
                used = {"nvmlDeviceGetMemoryInfo": is_old, "nvmlDeviceGetMemoryInfo_v2": not is_old}
                used |= {"nvmlDeviceGetComputeRunningProcesses_v2": is_old}
                used |= {"nvmlDeviceGetComputeRunningProcesses_v3": not is_old}
                self.assert_called(on, used)


if __name__ == "__main__":
    ClientCase.workshop = stage.workshop_from_arguments()
    stage.require_python_clients(ClientCase.workshop)
    unittest.main()
