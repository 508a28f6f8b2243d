#!/usr/bin/env python3
"""The parts of these tests that need no client: the comparison, and the reading of gpumem's JSON and nvtop's screen."""

from __future__ import annotations

import json
import unittest
from typing import Any

import comparison
import gpumem_view
import nvtop_screen

SCREEN = """
 Device 0 [Left GPU] PCIe GEN 4@16x RX: 0.977 MiB/s TX: 0.977 MiB/s Device 1 [Right [GPU] PCIe GEN 4@16x RX: N/A TX: N/A
 GPU 1000MHz MEM 1000MHz TEMP  50°C FAN  30% POW 100 / 300 W        GPU 1000MHz MEM 1000MHz TEMP  50°C FAN  30%
 GPU[|||                     10%] MEM[|||||     4.125Gi/24.000Gi]   GPU[|||                     10%] MEM[         N/A]
 Device 2 [Small]    PCIe GEN 1@ 1x
 GPU[                         0%] MEM[        512.000Mi/16.000Gi]

    PID USER DEV     TYPE  GPU        GPU MEM    CPU  HOST MEM Command
  29414 root   0  Compute   0%   3000MiB  12%     0%     17MiB python train.py 77MiB
  29414 root   0  Graphic   0%   3000MiB  12%     0%     17MiB python train.py
 999999  N/A   1  Compute   0%    500MiB          N/A       N/A
""".splitlines()


def device(**values: Any) -> str:
    fields = {"gpu": 0, "name": "A", "uuid": "GPU-a", "kind": "gpu", "pci_address": None}
    return json.dumps({"type": "device", **fields, **values})


def reading(**values: Any) -> str:
    bytes_of = {f"{name}_bytes": None for name in ("total", "used", "free", "reserved")}
    rest = {"status": "ok", "reason": None, "used_meaning": None, "processes": None, "processes_reason": None}
    return json.dumps({"type": "reading", "gpu": 0, **bytes_of, **rest, **values})


def process(**values: Any) -> dict[str, Any]:
    return {"pid": 7, "kind": "compute", "used_bytes": 10, **values}


class Differences(unittest.TestCase):
    def test_none_between_equals(self) -> None:
        self.assertEqual(comparison.differences("x", {"a": {"used": 1}}, {"a": {"used": 1}}), [])

    def test_names_client_device_field_and_both_values(self) -> None:
        shown, by_gpumem = {"a": {"memory": {"used": 1}}}, {"a": {"memory": {"used": 2}}}
        said = comparison.differences("nvfoo", shown, by_gpumem)
        self.assertEqual(said, ["a: memory.used: nvfoo shows 1, by gpumem it is 2"])

    def test_what_one_side_alone_has_is_a_difference(self) -> None:
        self.assertEqual(len(comparison.differences("x", {"a": {"used": None}}, {})), 1)
        self.assertEqual(len(comparison.differences("x", {}, {"a": {"processes": {"1": 5}}})), 1)

    def test_no_number_is_not_zero(self) -> None:
        self.assertEqual(len(comparison.differences("x", {"a": {"used": None}}, {"a": {"used": 0}})), 1)

    def test_an_empty_table_is_not_a_missing_one(self) -> None:
        self.assertEqual(len(comparison.differences("x", {"a": {"processes": {}}}, {"a": {"processes": None}})), 1)


class GpumemsJson(unittest.TestCase):
    def test_joins_a_device_and_its_reading(self) -> None:
        (seen,) = gpumem_view.parse(f"{device()}\n{reading(total_bytes=9, used_bytes=4, reserved_bytes=1)}\n")
        self.assertEqual((seen.uuid, seen.total, seen.used, seen.used_with_reserved), ("GPU-a", 9, 4, 5))

    def test_an_unavailable_device_has_no_numbers(self) -> None:
        (seen,) = gpumem_view.parse(f"{device()}\n{reading(status='unavailable', reason='GPU is lost')}\n")
        self.assertFalse(seen.is_readable)
        self.assertEqual((seen.used_with_reserved, seen.processes), (None, None))

    def test_a_mapped_process_goes_by_the_drivers_number(self) -> None:
        listed = [process(driver_pid=4242), process(pid=8, driver_pid=None)]
        (seen,) = gpumem_view.parse(f"{device()}\n{reading(processes=listed)}\n")
        self.assertEqual(sorted(seen.processes or {}), [8, 4242])

    def test_a_list_that_failed_is_not_an_empty_one(self) -> None:
        (seen,) = gpumem_view.parse(f"{device()}\n{reading(processes=[], processes_reason='not supported')}\n")
        self.assertIsNone(seen.processes)


class NvtopsScreen(unittest.TestCase):
    def test_reads_devices_side_by_side_and_below(self) -> None:
        shown = nvtop_screen.devices(SCREEN)
        self.assertEqual([seen["name"] for seen in shown.values()], ["Left GPU", "Right [GPU", "Small"])
        self.assertEqual(shown["index 0"]["memory"], {"used": 4125 * 2**30 // 1000, "total": 24 * 2**30})
        self.assertIsNone(shown["index 1"]["memory"])
        self.assertEqual(shown["index 2"]["memory"], {"used": 512 * 2**20, "total": 16 * 2**30})

    def test_reads_a_row_for_each_list(self) -> None:
        shown = nvtop_screen.devices(SCREEN)
        self.assertEqual(shown["index 0"]["processes"], {"29414 Compute": 3000, "29414 Graphic": 3000})
        self.assertEqual(shown["index 1"]["processes"], {"999999 Compute": 500})
        self.assertEqual(nvtop_screen.rows(shown), 3)

    def test_a_screen_that_is_not_there_yet_shows_nothing(self) -> None:
        self.assertEqual(nvtop_screen.devices([""] * 40), {})

    def test_refuses_an_amount_that_it_does_not_know(self) -> None:
        for text in ("4.1Gi", "4.125Qi", "N/A", ""):
            with self.subTest(text=text), self.assertRaises(ValueError):
                nvtop_screen.amount(text)


if __name__ == "__main__":
    unittest.main()
