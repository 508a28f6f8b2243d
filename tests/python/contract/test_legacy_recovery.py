"""Recovery by the legacy monitor: when, in which order, with what, and what is logged."""

from __future__ import annotations

from typing import Any

import pytest
from script_runner import ScriptRunner

MIB = 1 << 20
ORDER = ["CLEAR_CACHE", "REDUCE_BATCH", "OFFLOAD", "TERMINATE"]

ONE_CLIMB = """
records, seen, answers = listen(), [], {}
monitor = legacy.MemoryMonitor(0.02)
def function(strategy):
    def run(gpu_id, stats):
        seen.append([strategy.name, gpu_id, type(stats) is legacy.GPUMemoryStats, stats.gpu_id, stats.used_memory])
        answer = answers.get(strategy.name, False)
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer
    return run
def alerted(alert):
    seen.append(["alert", alert.gpu_id, alert.current_usage, len(records.all)])
monitor.register_alert_callback(Level.EMERGENCY, alerted)
def climb():
    GPU1.at(97)
    monitor.start_monitoring()
    eventually(lambda: any(one[0] == "alert" for one in seen), "an alert")
    monitor.stop_monitoring()
    last = [number for number, one in enumerate(seen) if one[0] == "alert"][0]
    end = [text for text in records.texts()].index(next(t for t in records.texts() if t.startswith("[GPU"))) + 1
    report(seen=seen[:last + 1], records=records.all[:end])
"""


@pytest.fixture(scope="module", params=["modules", "path"])
def in_vain(run_script: ScriptRunner, request: pytest.FixtureRequest) -> dict[str, Any]:
    return run_script(
        ONE_CLIMB
        + """
for strategy in Strategy:
    assert monitor.register_recovery_function(strategy, function(strategy)) is None
climb()
""",
        inject=request.param,
    )


def test_strategies_run_from_gentle_to_hard(in_vain: dict[str, Any]) -> None:
    assert [one[0] for one in in_vain["seen"]] == [*ORDER, "alert"]


def test_a_strategy_gets_the_gpu_and_its_statistics(in_vain: dict[str, Any]) -> None:
    for one in in_vain["seen"][:-1]:
        assert one[1:5] == [1, True, 1, 9_700 * MIB]


def test_what_is_logged_of_a_climb_in_vain(in_vain: dict[str, Any]) -> None:
    assert in_vain["records"] == [
        ["WARNING", "Attempting automatic memory recovery for GPU 1"],
        *(["INFO", f"Attempting recovery strategy: {name}"] for name in ORDER),
        ["CRITICAL", "All memory recovery strategies failed for GPU 1"],
        ["CRITICAL", "[GPU 1] EMERGENCY: Memory usage on GPU 1 is at emergency level, OOM risk (97.0% > 95.0%)"],
    ]


def test_recovery_comes_before_the_alert_is_logged_and_heard(in_vain: dict[str, Any]) -> None:
    assert in_vain["seen"][-1] == ["alert", 1, 97.0, len(in_vain["records"])]


@pytest.fixture(scope="module")
def helped(run_script: ScriptRunner) -> dict[str, Any]:
    return run_script(
        ONE_CLIMB
        + """
def free():
    GPU1.at(20)
    return "some words, which count as true"
answers.update(CLEAR_CACHE=ValueError("no cache"), REDUCE_BATCH=0, OFFLOAD=free, TERMINATE=True)
for strategy in Strategy:
    monitor.register_recovery_function(strategy, function(strategy))
climb()
""",
    )


def test_the_first_truthy_result_ends_the_climb(helped: dict[str, Any]) -> None:
    assert [one[0] for one in helped["seen"]] == ["CLEAR_CACHE", "REDUCE_BATCH", "OFFLOAD", "alert"]
    assert ["INFO", "Recovery strategy OFFLOAD successful"] in helped["records"]
    assert not any("failed for GPU" in text for _, text in helped["records"])


def test_an_exception_in_a_strategy_counts_as_failure(helped: dict[str, Any]) -> None:
    errors = [text for level, text in helped["records"] if level == "ERROR"]
    assert len(errors) == 1 and "no cache" in errors[0]


def test_the_alert_tells_of_the_usage_before_recovery(helped: dict[str, Any]) -> None:
    assert helped["seen"][-1][1:3] == [1, 97.0]


def test_only_registered_strategies_run_and_the_last_function_wins(run_script: ScriptRunner) -> None:
    facts = run_script(
        ONE_CLIMB
        + """
monitor.register_recovery_function(Strategy.TERMINATE, function(Strategy.OFFLOAD))
monitor.register_recovery_strategy(Strategy.TERMINATE, function(Strategy.TERMINATE))
monitor.register_recovery_function(Strategy.REDUCE_BATCH, function(Strategy.REDUCE_BATCH))
climb()
""",
    )
    assert [one[0] for one in facts["seen"]] == ["REDUCE_BATCH", "TERMINATE", "alert"]


def test_recovery_runs_at_the_emergency_level_only(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
ran, heard = [], []
monitor = legacy.MemoryMonitor(0.02)
monitor.register_recovery_function(Strategy.CLEAR_CACHE, lambda gpu_id, stats: ran.append(gpu_id))
for level in (Level.WARNING, Level.CRITICAL):
    monitor.register_alert_callback(level, lambda alert: heard.append(alert.level.name))
monitor.start_monitoring()
for percent, level in ((85, "WARNING"), (94.5, "CRITICAL")):
    GPU0.at(percent)
    eventually(lambda: heard.count(level) >= 3)
report(below=list(ran))
GPU0.at(95)
eventually(lambda: len(ran) >= 3)
report(above=sorted(set(ran)))
""",
    )
    assert (facts["below"], facts["above"]) == ([], [0])


def test_one_gpu_is_recovered_and_told_of_before_the_next(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
seen = []
monitor = legacy.MemoryMonitor(0.02)
monitor.register_recovery_function(Strategy.CLEAR_CACHE, lambda gpu_id, stats: seen.append(["recover", gpu_id]))
monitor.register_alert_callback(Level.EMERGENCY, lambda alert: seen.append(["alert", alert.gpu_id]))
GPU0.at(96), GPU1.at(99)
monitor.start_monitoring()
eventually(lambda: len(seen) >= 8)
monitor.stop_monitoring()
report(seen=seen[:8])
""",
    )
    assert facts["seen"] == [["recover", 0], ["alert", 0], ["recover", 1], ["alert", 1]] * 2


def test_a_strategy_may_use_the_monitor_and_leave(run_script: ScriptRunner) -> None:
    """A strategy that reads, stops and asks to exit ends neither the climb nor the process."""
    facts = run_script(
        """
records, seen = listen(), []
monitor = legacy.MemoryMonitor(0.02)
def first(gpu_id, stats):
    seen.append(sorted(monitor.get_memory_stats(gpu_id)))
    monitor.stop_monitoring()
    raise SystemExit(3)
def second(gpu_id, stats):
    seen.append("second")
    return True
monitor.register_recovery_function(Strategy.CLEAR_CACHE, first)
monitor.register_recovery_function(Strategy.OFFLOAD, second)
GPU0.at(97)
monitor.start_monitoring()
eventually(lambda: "second" in seen)
eventually(lambda: not monitor_threads())
report(keys=seen[0], errors=[text for level, text in records.all if level == "ERROR"])
""",
    )
    assert facts["keys"] == ["cached", "free", "reserved", "total", "used"]
    assert len(facts["errors"]) == 1
