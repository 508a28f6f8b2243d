"""Jobs of two ranks over gloo of which one runs out of memory: nobody is left waiting, and the result is the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
if not torch.distributed.is_available():
    pytest.skip("this PyTorch has no torch.distributed", allow_module_level=True)

from training import Memory, Model, batches, train_whole  # noqa: E402

RANKS = Path(__file__).with_name("ranks.py")
PATIENCE_S = 200  # each rank gives up after 60 s of waiting for the other


def run(case: str, folder: Path) -> list[dict[str, Any]]:
    """What each rank says; fails when one does not come to an end."""
    command = [sys.executable, str(RANKS), case]
    ranks = [
        subprocess.Popen(
            [*command, str(rank), str(folder / "meeting")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    try:
        said = [rank.communicate(timeout=PATIENCE_S) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0, 0], said
    return [json.loads(output) for output, _ in said]


@pytest.mark.parametrize("case", ["plain", "wrapped"])
def test_ranks_take_the_same_chunks_and_learn_the_same(case: str, tmp_path: Path) -> None:
    first, second = run(case, tmp_path)
    assert first["chunks"] == second["chunks"] == [4] * 6
    assert first["seen"] == second["seen"] == 6 * 16
    assert (first["failures"], second["failures"]) == (0, 2)
    model = Model(Memory())
    whole = train_whole(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), batches(6, 32))
    assert first["losses"] == pytest.approx(whole, rel=1e-9)
    assert second["losses"] == first["losses"]


def test_splitting_alone_is_refused_with_what_to_do(tmp_path: Path) -> None:
    for said in run("refused", tmp_path):
        assert said["complaint"].startswith("this job has 2 ranks (torch.distributed)")
        assert "agree=torch_agreement()" in said["complaint"]


def test_batches_of_different_length_are_refused_on_every_rank(tmp_path: Path) -> None:
    for said in run("unequal", tmp_path):
        assert said["complaint"].startswith("the ranks have between 7 and 8 elements left")


def test_at_the_floor_every_rank_ends(tmp_path: Path) -> None:
    first, second = run("floor", tmp_path)
    assert first["complaint"].startswith("another rank ran out of memory with the smallest chunk")
    assert second["error"].startswith("CUDA out of memory")
    assert "gpumem: 2 of 8 elements ran out of memory" in second["notes"][0]


def test_ranks_that_do_not_wait_for_one_another_split_alone(tmp_path: Path) -> None:
    assert [said["size"] for said in run("alone", tmp_path)] == [8, 2]
