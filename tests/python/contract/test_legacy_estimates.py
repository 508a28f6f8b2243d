"""Profiles in the legacy monitor: registration, estimates of batch and context, projection of each GPU."""

from __future__ import annotations

from typing import Any

import pytest
from script_runner import ScriptRunner


@pytest.fixture(scope="module")
def estimates(run_script: ScriptRunner) -> dict[str, Any]:
    return run_script(
        """
records = listen()
def said():
    texts = list(records.all)
    records.all.clear()
    return texts
monitor = legacy.MemoryMonitor(30.0)
GPU0.at(20)  # 8,000 MiB are free
small = legacy.MemoryProfile("small", 1_000 * MIB, 100 * MIB, MIB)
large = legacy.MemoryProfile("large", 2_000 * MIB, 500 * MIB, MIB)
monitor.get_memory_stats(0), said()
report(bare=[monitor.estimate_max_batch(0, 10), monitor.estimate_safe_context_size(0, 2)], bare_said=said())
report(registered=[monitor.register_profile(small), monitor.register_profile(large)])
report(named_only=monitor.estimate_max_batch(0, 200, "small"))
report(unset=monitor.estimate_safe_context_size(0, 2))
said()
report(miss=monitor.set_active_profile("nobody"), miss_said=said())
report(hit=monitor.set_active_profile("small"), miss_again=monitor.set_active_profile("nobody"))
said()
report(active=monitor.estimate_max_batch(0, 200))
report(named=monitor.estimate_max_batch(0, 200, profile_name="large"), quiet=said())
report(unknown=monitor.estimate_max_batch(0, 200, "nobody"), unknown_said=said())
report(context=monitor.estimate_safe_context_size(0, 2))
report(buffer=monitor.estimate_safe_context_size(0, 2, buffer_percent=50.0))
said()
report(strangers=[monitor.estimate_max_batch(9, 1), monitor.estimate_safe_context_size(9, 1)])
report(strangers_said=said())
monitor.register_profile(legacy.MemoryProfile("small", 0, 1_000 * MIB, MIB))
monitor.set_active_profile("small")
report(replaced=monitor.estimate_max_batch(0, 200))
huge = legacy.MemoryProfile("huge", 90_000 * MIB, 1, MIB)
monitor.register_profile(huge)
monitor.set_active_profile("huge")
report(floors=[monitor.estimate_max_batch(0, 1), monitor.estimate_safe_context_size(0, 1)])
huge.base_usage = 0
report(changed=monitor.estimate_safe_context_size(0, 1))
""",
    )


def test_without_a_profile_the_estimates_are_fixed_and_logged(estimates: dict[str, Any]) -> None:
    assert estimates["bare"] == [1, 2048]
    texts = [text for _, text in estimates["bare_said"]]
    assert texts == [
        "No memory profile available for batch size estimation",
        "No active memory profile for context size estimation",
    ]
    assert estimates["unset"] == 2048


def test_profiles_are_registered_and_activated(estimates: dict[str, Any]) -> None:
    assert estimates["registered"] == [None, None]
    assert (estimates["miss"], estimates["hit"], estimates["miss_again"]) == (False, True, False)
    assert estimates["miss_said"] == [["WARNING", "Memory profile not found: nobody"]]


def test_the_largest_batch_of_the_active_and_of_a_named_profile(estimates: dict[str, Any]) -> None:
    assert estimates["named_only"] == 60  # (8,000 * 0.9 - 1,000 - 200) / 100
    assert estimates["active"] == 60
    assert estimates["named"] == 10
    assert estimates["quiet"] == []


def test_an_unknown_profile_falls_back_and_says_so(estimates: dict[str, Any]) -> None:
    assert estimates["unknown"] == 60
    assert any("nobody" in text for _, text in estimates["unknown_said"])


def test_the_safe_context_size(estimates: dict[str, Any]) -> None:
    assert estimates["context"] == 6_000  # 8,000 * 0.9 - 1,000 - 200
    assert estimates["buffer"] == 2_800


def test_of_an_unknown_gpu_the_estimates_are_fixed_and_logged(estimates: dict[str, Any]) -> None:
    assert estimates["strangers"] == [1, 2048]
    texts = [text for _, text in estimates["strangers_said"]]
    assert "No memory stats available for GPU 9" in texts


def test_a_profile_registered_again_replaces_the_first(estimates: dict[str, Any]) -> None:
    assert estimates["replaced"] == 7


def test_a_model_that_does_not_fit_gives_the_floors(estimates: dict[str, Any]) -> None:
    assert estimates["floors"] == [1, 128]
    assert estimates["changed"] == 7_199


def test_the_default_profiles_are_registered_on_request_and_none_is_active(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
monitor = legacy.MemoryMonitor()
GPU0.total = 100 * GIB
GPU0.used = 0
report(before=monitor.set_active_profile("llama2-7b"), returned=legacy.initialize_memory_profiles())
report(none=monitor.estimate_max_batch(0, 1))
report(each=[monitor.set_active_profile(name) for name in legacy.DEFAULT_PROFILES])
report(batch=monitor.estimate_max_batch(0, 1024, "llama2-7b"))
""",
    )
    assert (facts["before"], facts["returned"], facts["none"]) == (False, None, 1)
    assert facts["each"] == [True] * 5
    assert facts["batch"] == 1699  # (90 GiB - 7 GiB - 3 MiB) / 50 MiB


@pytest.fixture(scope="module", params=["modules", "path"])
def projection(run_script: ScriptRunner, request: pytest.FixtureRequest) -> dict[str, Any]:
    """One GPU grows by 200 MiB (2 %) a second, the other is flat at 30 %."""
    return run_script(
        """
monitor = legacy.MemoryMonitor(0.02)
profile = legacy.MemoryProfile("p", 0, 1, 1, growth_rate=1.0)
report(none=monitor.project_memory_usage(0))
monitor.register_profile(profile)
monitor.set_active_profile("p")
report(early=monitor.project_memory_usage(0))
begun = time.monotonic()
GPU0.used = lambda: int(1_000 * MIB + 200 * MIB * (time.monotonic() - begun))
GPU1.at(30)
monitor.start_monitoring()
eventually(lambda: len(profile.usage_history) == 100 and time.monotonic() - begun > 1.5)
truth = 10 + 2 * (time.monotonic() - begun)
report(grows=[monitor.project_memory_usage(0, seconds) - truth for seconds in (0.0, 10.0, 60.0)])
report(flat=monitor.project_memory_usage(1, seconds_ahead=60.0), default=monitor.project_memory_usage(0) - truth)
profile.growth_rate = 2.0
truth = 10 + 2 * (time.monotonic() - begun)
report(doubled=monitor.project_memory_usage(0, 10.0) - truth)
monitor.stop_monitoring()
report(stranger=monitor.project_memory_usage(9))
stamps = [stamp for stamp, _ in profile.usage_history]
values = sorted({int(used) for _, used in profile.usage_history})
report(length=len(profile.usage_history), flat_seen=3_000 * MIB in values, growing_seen=len(values) > 20)
report(sorted=stamps == sorted(stamps), wall=abs(stamps[-1] - time.time()))
""",
        inject=request.param,
    )


def test_nothing_is_projected_without_profile_history_or_gpu(projection: dict[str, Any]) -> None:
    assert (projection["none"], projection["early"], projection["stranger"]) == (None, None, None)


def test_the_projection_is_from_now_and_for_each_gpu(projection: dict[str, Any]) -> None:
    """The original had one history for all GPUs, and gave the same wrong answer for both."""
    assert projection["grows"] == pytest.approx([0, 20, 120], rel=0.05, abs=0.5)
    assert projection["default"] == pytest.approx(120, rel=0.05)
    assert projection["flat"] == pytest.approx(30, abs=0.1)
    assert projection["doubled"] == pytest.approx(40, rel=0.05)


def test_each_poll_adds_each_gpu_to_the_history(projection: dict[str, Any]) -> None:
    assert projection["length"] == 100
    assert projection["flat_seen"] and projection["growing_seen"]
    assert projection["sorted"] and projection["wall"] < 60
