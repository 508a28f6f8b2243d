"""What the report finds wrong: each check must see the difference that it is there for."""

import dataclasses
import unittest
from datetime import datetime, timezone
from unittest import mock

from hardware_report import steps, witnesses
from hardware_report.gpumem import Device
from hardware_report.markdown import MIB

GIB = 1024 * MIB
UUID = "GPU-1"


def device(used=8 * GIB, process=7 * GIB):
    reading = {
        "total_bytes": 24 * GIB,
        "reserved_bytes": GIB,
        "used_bytes": used,
        "free_bytes": 23 * GIB - used,
        "processes": [{"pid": 1, "driver_pid": 41, "used_bytes": process}],
    }
    return Device({"gpu": 0, "uuid": UUID}, reading)


def witness(**changes):
    said = {"memory.total": 24 * GIB, "memory.used": 9 * GIB, "memory_v2.used": 8 * GIB, "processes": {41: 7 * GIB}}
    return {UUID: said | {name.replace("__", "."): value for name, value in changes.items()}}


class Comparison(unittest.TestCase):
    def complaints(self, said, before=None, after=None, values=witnesses.PYNVML_VALUES):
        looks = [{UUID: before or device()}, {UUID: after or before or device()}]
        gpumem = mock.Mock(environment={})
        with mock.patch.object(witnesses, "look", side_effect=looks):
            return witnesses.compare("Against it", gpumem, lambda _: said, values).failures

    def test_agrees(self):
        self.assertEqual(self.complaints(witness()), [])

    def test_a_byte_off(self):
        found = self.complaints(witness(memory_v2__used=8 * GIB + 1))
        self.assertEqual(len(found), 1)
        self.assertIn("memory_v2.used of GPU-1 is 8,589,934,593, gpumem says 8,589,934,592", found[0])

    def test_none_is_not_a_number(self):
        self.assertEqual(len(self.complaints(witness(memory__used=None))), 1)

    def test_what_rounds_to_mebibytes_may_be_off_by_less_than_one(self):
        values = [witnesses.Value("memory.used", witnesses.of_reading("used_bytes"), MIB)]
        before = device(used=8 * GIB + 5)
        self.assertEqual(self.complaints(witness(memory__used=8 * GIB), before, values=values), [])
        self.assertEqual(len(self.complaints(witness(memory__used=8 * GIB - MIB), before, values=values)), 1)

    def test_between_two_looks(self):
        looks = device(used=7 * GIB), device(used=10 * GIB)
        self.assertEqual(self.complaints(witness(), *looks), [])
        self.assertEqual(len(self.complaints(witness(memory_v2__used=11 * GIB), *looks)), 1)

    def test_processes(self):
        self.assertEqual(len(self.complaints(witness(processes={41: 6 * GIB}))), 1)
        self.assertIn("not listed", self.complaints(witness(processes={42: GIB}))[0])

    def test_a_device_that_gpumem_does_not_show(self):
        found = self.complaints(witness() | {"GPU-2": {"processes": {}}})
        self.assertEqual(found, ["Against it: gpumem does not show GPU-2"])


def record(kind, at, **fields):
    time = datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds")
    return {"type": kind, "time": time, "gpu": 0, **fields}


def reading(at, used, process):
    free = 24 * GIB - used
    entry = {"pid": 7, "driver_pid": None, "used_bytes": process}
    percent = 100 * used / (24 * GIB)
    return record(
        "reading", at, status="ok", used_bytes=used, free_bytes=free, used_percent=percent, processes=[entry]
    )


def story():
    """Two steps of 10 GiB at 100 s and 110 s, freed at 120 s; a reading each two seconds."""
    used = {96: 0, 98: 0, 101: 10, 103: 10, 111: 20, 113: 20, 121: 0, 123: 0}
    records = [reading(at, amount * GIB, amount * GIB) for at, amount in used.items()]
    records.append(record("alert", 111, event="raised", level="warning"))
    moves = [steps.Step(10 * GIB, begun, begun + 0.1, begun + 10) for begun in (100, 110)]
    return steps.Story(7, GIB, moves, 120, 122, records)


class Steps(unittest.TestCase):
    def complaints(self, **changes):
        return steps.failures(dataclasses.replace(story(), **changes))

    def without(self, *moments):
        kept = [entry for entry in story().records if steps.moment(entry) not in moments]
        return self.complaints(records=kept)

    def test_all_is_seen(self):
        self.assertEqual(self.complaints(), [])

    def test_a_step_that_no_reading_shows(self):
        self.assertIn("step 1 was not seen before the next one", self.without(101, 103))

    def test_an_alert_that_is_missing(self):
        kept = [entry for entry in story().records if entry["type"] != "alert"]
        self.assertEqual(self.complaints(records=kept), ["use was at warning; raised: nothing"])

    def test_an_alert_without_a_cause(self):
        extra = record("alert", 111, event="raised", level="critical")
        self.assertEqual(self.complaints(records=[*story().records, extra]), ["use was at warning; raised: critical, warning"])

    def test_memory_that_does_not_come_back(self):
        found = self.complaints(records=[*story().records, reading(125, GIB, 0)])
        self.assertEqual(found, ["1,024.0 MiB more in use at the end than at the beginning"])

    def test_a_process_that_no_list_has(self):
        self.assertEqual(self.complaints(pid=8), ["no process list had process 8 with its memory"])


if __name__ == "__main__":
    unittest.main()
