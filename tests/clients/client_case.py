"""The ground of the tests of one client: runs its probe and gpumem on one stage, and compares them."""

from __future__ import annotations

import json
import subprocess
import unittest
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import comparison
import gpumem_view
from stage import Stage, Workshop

Expectation = Callable[[list[gpumem_view.Device]], comparison.Shown]


class ClientCase(unittest.TestCase):
    """`client` names the probe: CLIENT_probe.py prints what the client shows; it runs under the Python that has
    the client.
    """

    client: ClassVar[str]
    workshop: ClassVar[Workshop]
    maxDiff = None

    def gpumem(self, stage: Stage) -> list[gpumem_view.Device]:
        return gpumem_view.read(self.workshop.gpumem, stage.environment)

    def shown(self, stage: Stage, *arguments: str) -> dict[str, Any]:
        probe = Path(__file__).with_name(f"{self.client}_probe.py")
        command = [str(self.workshop.python), str(probe), *arguments]
        ran = subprocess.run(
            command, env=dict(stage.environment), capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual(ran.returncode, 0, f"{self.client} failed: {ran.stderr}")
        answer: dict[str, Any] = json.loads(ran.stdout)
        return answer

    def assert_agree(self, shown: comparison.Shown, by_gpumem: comparison.Shown, devices: int) -> None:
        """`devices` is how many there must be: two that both see nothing would agree as well."""
        self.assertEqual(len(by_gpumem), devices, "devices by gpumem")
        complaints = comparison.differences(self.client, shown, by_gpumem)
        self.assertFalse(complaints, "\n" + "\n".join(complaints))

    def assert_notices(self, shown: comparison.Shown, by_gpumem: comparison.Shown, parts: list[str]) -> None:
        """That this comparison can fail: of two sides that are known to differ, it says where and how."""
        complaints = comparison.differences(self.client, shown, by_gpumem)
        found = [line for line in complaints if all(part in line for part in parts)]
        self.assertTrue(found, f"nothing about {parts} in {complaints}")

    def assert_called(self, stage: Stage, symbols: Mapping[str, bool]) -> None:
        calls = stage.calls()
        for symbol, expected in symbols.items():
            self.assertEqual(calls.get(symbol, 0) > 0, expected, f"{self.client} calls {symbol}")
