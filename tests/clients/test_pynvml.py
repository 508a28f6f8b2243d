#!/usr/bin/env python3
"""nvidia-ml-py, NVIDIA's own Python binding: every number of the driver's calls against gpumem's."""

from __future__ import annotations

import unittest
from collections.abc import Mapping
from typing import Any

import cases
import gpumem_view
import stage
from client_case import ClientCase

ABSENT = "NVMLError_FunctionNotFound"
UNSUPPORTED = "NVMLError_NotSupported"
KINDS = {
    frozenset({"compute"}): "compute",
    frozenset({"graphics"}): "graphics",
    frozenset({"mps"}): "mps",
    frozenset({"compute", "mps"}): "mps",
}


def entries_by_pid(lists: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """The lists joined as gpumem's documentation says: a process in several has the largest figure."""
    found: dict[int, dict[str, Any]] = {}
    for kind, listed in lists.items():
        for entry in [] if isinstance(listed, str) else listed:
            process = found.setdefault(entry["pid"], {"used": entry["used"], "kinds": set()})
            if entry["used"] is not None:
                process["used"] = max(process["used"], entry["used"])
            process["kinds"].add(kind)
    return found


def processes(lists: Mapping[str, Any]) -> dict[str, Any]:
    return {
        str(pid): {"used": process["used"], "kind": KINDS.get(frozenset(process["kinds"]), "compute_and_graphics")}
        for pid, process in entries_by_pid(lists).items()
    }


def joined(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What pynvml shows, with one table of processes a device."""
    return {
        uuid: {
            **{key: value for key, value in device.items() if key != "lists"},
            "processes": processes(device["lists"]),
        }
        for uuid, device in shown.items()
    }


def memory_v2(device: gpumem_view.Device) -> Any:
    """The second memory call tells the reserved apart, and is missing where gpumem does not know it."""
    if device.reserved is None:
        return ABSENT
    return {"total": device.total, "reserved": device.reserved, "free": device.free, "used": device.used}


def expected(device: gpumem_view.Device) -> dict[str, Any]:
    listed = device.processes or {}
    return {
        "name": device.name,
        "pci_address": device.pci_address,
        "memory": {"total": device.total, "free": device.free, "used": device.used_with_reserved},
        "memory_v2": memory_v2(device),
        "processes": {str(pid): {"used": process.used, "kind": process.kind} for pid, process in listed.items()},
    }


class Pynvml(ClientCase):
    client = "pynvml"

    def compare(self, case: cases.Case) -> None:
        with self.subTest(case=str(case)), stage.staged(self.workshop, case.scenario, case.generation) as on:
            by_gpumem = {device.uuid: expected(device) for device in self.gpumem(on)}
            self.assert_agree(joined(self.shown(on)), by_gpumem, case.devices)

    def test_every_number_is_the_same(self) -> None:
        for case in [*cases.PLAIN, *cases.MPS, *cases.MIG, *cases.WSL, *cases.EIGHT]:
            if case.generation != "535.43":
                self.compare(case)

    def test_a_difference_is_noticed(self) -> None:
        with stage.staged(self.workshop, "plain", "550") as on:
            by_gpumem = {device.uuid: expected(device) for device in self.gpumem(on)}
            on.change('"6GiB"', '"6145MiB"')
            shown = joined(self.shown(on))
            first = next(iter(by_gpumem))
            self.assert_notices(shown, by_gpumem, [first, "processes.", str(6145 * 2**20), str(6 * 2**30), "pynvml"])
            self.assert_notices(shown, by_gpumem, [first, "memory_v2.used", "pynvml"])

    def test_535_43_is_misread_by_pynvml_and_not_by_gpumem(self) -> None:
        """These drivers write 32 bytes an entry where pynvml expects 24: its second entry begins with the last field of
        the first, so that the second PID is taken for an amount of memory. The memory calls are as ever.
        """
        with stage.staged(self.workshop, "plain", "535.43") as on:
            first = self.gpumem(on)[0]
            shown = self.shown(on)[first.uuid]
        for field in ("name", "memory", "memory_v2"):
            self.assertEqual(shown[field], expected(first)[field])
        true = [(pid, process.used) for pid, process in (first.processes or {}).items()]
        listed = shown["lists"]["compute"]
        self.assertEqual((len(true), len(listed)), (3, 3))
        self.assertIn((listed[0]["pid"], listed[0]["used"]), true, "the first entry is right")
        self.assertIn(listed[1]["used"], [pid for pid, _ in true], "the second has a PID for memory")
        self.assertNotIn(listed[1]["pid"], [pid for pid, _ in true])

    def test_shared_memory_is_unsupported_and_the_processes_are_known(self) -> None:
        for case in cases.GB10:
            with self.subTest(case=str(case)), stage.staged(self.workshop, case.scenario, case.generation) as on:
                (device,) = self.gpumem(on)
                shown = joined(self.shown(on))[device.uuid]
                self.assertEqual((shown["memory"], shown["memory_v2"]), (UNSUPPORTED, UNSUPPORTED))
                self.assertEqual(shown["processes"], expected(device)["processes"])
                self.assertEqual(device.used_meaning, "estimate")
                self.assertEqual(device.used, sum(entry["used"] for entry in shown["processes"].values()))

    def test_a_lost_gpu_is_an_error_to_both_and_the_other_goes_on(self) -> None:
        words = ("NVMLError_GpuIsLost", "lost"), ("NVMLError_Unknown", "unknown")
        for lookup, (error, word) in zip(cases.LOOKUPS, words, strict=True):
            with self.subTest(lookup=lookup), stage.staged(self.workshop, "lost", "550") as on:
                on.change("lookup = 15", f"lookup = {lookup}")
                there, lost = self.gpumem(on)
                shown = self.shown(on)
                self.assertEqual(shown.pop("index 1"), {"error": error})
                self.assertEqual(joined(shown), {there.uuid: expected(there)})
                self.assertEqual((lost.status, lost.total), ("unavailable", None))
                self.assertIn(word, (lost.reason or "").lower())


if __name__ == "__main__":
    ClientCase.workshop = stage.workshop_from_arguments()
    stage.require_python_clients(ClientCase.workshop)
    unittest.main()
