"""What the original's author added later: modules, RecoveryManager, the profiler, free functions."""

from __future__ import annotations

import importlib
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from script_runner import ScriptRunner

GIB, MIB = 1 << 30, 1 << 20


@pytest.mark.parametrize("name", ["monitor", "alerts", "metrics", "predictor", "recovery", "compat"])
def test_each_module_is_there(name: str) -> None:
    assert importlib.import_module(f"dualgpuopt.memory.{name}").__doc__


@pytest.fixture
def manager() -> Any:
    from dualgpuopt.memory.recovery import RecoveryManager

    return RecoveryManager()


def test_the_recovery_manager_executes_a_strategy(manager: Any, caplog: pytest.LogCaptureFixture) -> None:
    from dualgpuopt.memory import MemoryRecoveryStrategy as Strategy

    given: list[Any] = []

    def failing(*_: object) -> bool:
        raise ValueError("no good")

    def helping(*a: object, **k: object) -> str:
        given.append((a, k))
        return "yes"

    manager.register_strategy(Strategy.OFFLOAD, helping)
    manager.register_strategy(Strategy.TERMINATE, failing)
    with caplog.at_level(logging.DEBUG, "DualGPUOpt.MemoryRecovery"):
        assert manager.execute_strategy(Strategy.OFFLOAD, 1, key=2) is True
        assert manager.execute_strategy(Strategy.CLEAR_CACHE) is False
        assert manager.execute_strategy(Strategy.TERMINATE) is False
    assert given == [((1,), {"key": 2})]
    assert any("no good" in record.getMessage() for record in caplog.records)
    assert {record.name for record in caplog.records} == {"DualGPUOpt.MemoryRecovery"}


def test_the_recovery_manager_attempts_in_order(manager: Any) -> None:
    from dualgpuopt.memory import GPUMemoryStats
    from dualgpuopt.memory import MemoryRecoveryStrategy as Strategy

    stats, ran = GPUMemoryStats(3, 10, 9, 1), []

    def function(strategy: Any, answer: bool) -> Any:
        def run(gpu_id: int, memory_stats: Any) -> bool:
            ran.append((strategy.name, gpu_id, memory_stats is stats))
            return answer

        return run

    for strategy in Strategy:
        manager.register_strategy(strategy, function(strategy, strategy is Strategy.OFFLOAD))
    assert manager.attempt_recovery(3, stats) is True
    assert ran == [(name, 3, True) for name in ("CLEAR_CACHE", "REDUCE_BATCH", "OFFLOAD")]
    ran.clear()
    assert manager.attempt_recovery(3, stats, strategies=[Strategy.TERMINATE]) is False
    assert ran == [("TERMINATE", 3, True)]


def test_clearing_the_cache_without_cuda_says_no() -> None:
    from dualgpuopt.memory import GPUMemoryStats
    from dualgpuopt.memory.recovery import default_clear_cuda_cache

    assert default_clear_cuda_cache(0, GPUMemoryStats(0, 10, 9, 1)) in (True, False)


def test_estimates_take_a_factor_for_the_cache() -> None:
    from dualgpuopt.memory import MemoryProfile

    profile = MemoryProfile("p", 1_000, 100, 10)
    assert profile.estimate_usage(2, 5) == profile.estimate_usage(2, 5, kv_cache_factor=1.0) == 1_250
    assert profile.estimate_usage(2, 5, kv_cache_factor=0.5) < 1_250


def test_profiles_by_name() -> None:
    from dualgpuopt.memory.predictor import DEFAULT_PROFILES, get_available_profiles, get_profile

    assert list(get_available_profiles()) == list(DEFAULT_PROFILES)
    assert get_profile("mistral-7b") is DEFAULT_PROFILES["mistral-7b"]


def test_the_optimal_batch_fits() -> None:
    from dualgpuopt.memory.predictor import MemoryProfile, find_optimal_batch

    profile = MemoryProfile("p", GIB, 100 * MIB, MIB)
    batch, sequence = find_optimal_batch(8 * GIB, profile, [512, 1024, 2048], memory_buffer=0.9)
    assert batch >= 1 and sequence in (512, 1024, 2048)
    assert profile.estimate_usage(batch, sequence) <= 8 * GIB * 0.9


def test_the_kinds_of_profiler_events() -> None:
    from dualgpuopt.memory import MemoryEventType

    assert {event.value for event in MemoryEventType} == {
        *("allocation", "deallocation", "growth_spike", "leak_detected"),
        *("session_start", "session_end", "inference_start", "inference_end"),
    }


def test_the_profiler_keeps_sessions(run_script: ScriptRunner, tmp_path: Path) -> None:
    facts = run_script(
        f"""
from dualgpuopt.memory import MemoryEventType, MemoryProfiler, get_memory_profiler
import inspect
legacy.MemoryMonitor(0.02)
report(same=get_memory_profiler() is get_memory_profiler())
defaults = {{name: p.default for name, p in inspect.signature(MemoryProfiler).parameters.items()}}
report(defaults=dict(list(defaults.items())[:4]))
profiler, seen = MemoryProfiler(sample_interval=0.02), []
for event in MemoryEventType:
    profiler.register_callback(event, lambda *given, event=event: seen.append(event.value))
session = profiler.start_profiling("mine")
profiler.start_inference({{"prompt": 1}})
polls()
profiler.end_inference(token_count=12)
profiler.end_session()
report(seen=seen, report=bool(profiler.get_session_report("mine")))
profiler.export_timeline_data({str(tmp_path / "timeline.json")!r}, session_id="mine")
""",
    )
    assert facts["same"]
    assert facts["defaults"] == {
        "sample_interval": 0.5,
        "history_size": 3600,
        "leak_detection_threshold": 0.05,
        "spike_detection_threshold": 0.1,
    }
    marks = [event for event in facts["seen"] if event.split("_")[0] in ("session", "inference")]
    assert marks == ["session_start", "inference_start", "inference_end", "session_end"]
    assert facts["report"]
    assert json.loads((tmp_path / "timeline.json").read_text())


@pytest.mark.parametrize(
    ("used", "total", "percent"), [(5, 10, 50.0), (0, 10, 0.0), (5, 0, 100.0), (5, -1, 0.0), (-5, 10, 0.0)]
)
def test_calculate_usage_percent(used: int, total: int, percent: float) -> None:
    from dualgpuopt.memory import calculate_usage_percent

    assert calculate_usage_percent(used, total) == percent


@pytest.mark.parametrize(("mebibytes", "text"), [(100, "100 MB"), (1024, "1.0 GB"), (1536, "1.5 GB")])
def test_format_memory_size(mebibytes: int, text: str) -> None:
    from dualgpuopt.memory import format_memory_size

    assert format_memory_size(mebibytes) == text
    assert format_memory_size(1536, precision=2) == "1.50 GB"


def test_questions_about_the_memory_now(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
from dualgpuopt.memory import get_memory_usage, is_memory_critical, is_memory_low
monitor = legacy.MemoryMonitor(0.02)
GPU0.at(20), GPU1.at(96.66)
eventually(lambda: is_memory_critical(1))
report(critical=[bool(is_memory_critical(gpu)) for gpu in (0, 1)], low=[bool(is_memory_low(gpu)) for gpu in (0, 1)])
report(usage=get_memory_usage(), text=repr(get_memory_usage()))
""",
    )
    assert facts["critical"] == [False, True]
    assert facts["low"] == [False, True]
    assert "96.7" in facts["text"] and "20.0" in facts["text"]


def test_foreseeing_the_end_of_memory() -> None:
    from dualgpuopt.memory import predict_memory_usage, will_run_out_of_memory

    assert callable(predict_memory_usage) and callable(will_run_out_of_memory)
