"""Alerts of the legacy monitor: which level, who hears it, in which order, what is said and logged."""

from __future__ import annotations

from typing import Any

import pytest
from script_runner import ScriptRunner

MIB = 1 << 20

# The second GPU is at the emergency level throughout: once its callback has run, the first GPU was judged as well.
WITNESSED = """
heard, witnessed = [], []
def settle(rounds=3):
    polls(2)
    goal = len(witnessed) + rounds
    eventually(lambda: len(witnessed) >= goal, "the witness")
monitor = legacy.MemoryMonitor(0.01)
GPU0.at(10), GPU1.at(99)
for level in Level:
    monitor.register_alert_callback(level, lambda alert, level=level: alert.gpu_id or heard.append(level.name))
monitor.register_alert_callback(Level.EMERGENCY, lambda alert: witnessed.append(1) if alert.gpu_id else None)
"""


@pytest.fixture(scope="module")
def levels(run_script: ScriptRunner) -> dict[str, Any]:
    facts = run_script(
        WITNESSED
        + """
monitor.start_monitoring()
found = {}
for percent in (50.0, 79.5, 80.0, 89.5, 90.0, 94.5, 95.0, 100.0):
    GPU0.at(percent)
    settle()
    heard.clear()
    settle()
    found[percent] = sorted(set(heard))
monitor.stop_monitoring()
report(found=found)
""",
    )
    return dict(facts["found"])


@pytest.mark.parametrize(
    ("percent", "level"),
    [
        ("50.0", []),
        ("79.5", []),
        ("80.0", ["WARNING"]),
        ("89.5", ["WARNING"]),
        ("90.0", ["CRITICAL"]),
        ("94.5", ["CRITICAL"]),
        ("95.0", ["EMERGENCY"]),
        ("100.0", ["EMERGENCY"]),
    ],
)
def test_the_highest_level_reached_fires_and_no_other(levels: dict[str, Any], percent: str, level: list[str]) -> None:
    assert levels[percent] == level


@pytest.fixture(scope="module", params=["modules", "path"])
def said(run_script: ScriptRunner, request: pytest.FixtureRequest) -> dict[str, Any]:
    return run_script(
        """
records, alerts = listen(), {}
monitor = legacy.MemoryMonitor(0.02)
def keep(alert):
    alerts.setdefault(alert.level.name, {
        "gpu": alert.gpu_id, "message": alert.message, "usage": alert.current_usage, "threshold": alert.threshold,
        "recommendations": alert.recommendations, "context": alert.context, "text": str(alert),
        "type": type(alert) is legacy.MemoryAlert, "late": abs(alert.timestamp - time.time()),
    })
for level in Level:
    monitor.register_alert_callback(level, keep)
monitor.start_monitoring()
for percent, level in ((85, "WARNING"), (92, "CRITICAL"), (97, "EMERGENCY")):
    GPU1.at(percent)
    eventually(lambda: level in alerts, level)
monitor.stop_monitoring()
report(alerts=alerts, records=records.all, loggers=sorted(set(records.loggers)))
""",
        inject=request.param,
    )


EXPECTED = {
    "WARNING": (
        "WARNING",
        85.0,
        80.0,
        "Memory usage on GPU 1 is high",
        ["Consider reducing batch size", "Monitor for further increases"],
    ),
    "CRITICAL": (
        "ERROR",
        92.0,
        90.0,
        "Memory usage on GPU 1 is approaching critical level",
        ["Reduce batch size", "Clear caches if possible", "Consider terminating non-essential processes"],
    ),
    "EMERGENCY": (
        "CRITICAL",
        97.0,
        95.0,
        "Memory usage on GPU 1 is at emergency level, OOM risk",
        ["Immediately reduce workload", "Terminate non-essential processes", "Clear all caches"],
    ),
}


@pytest.mark.parametrize("level", EXPECTED)
def test_what_an_alert_says(said: dict[str, Any], level: str) -> None:
    _, usage, threshold, message, recommendations = EXPECTED[level]
    alert = said["alerts"][level]
    assert (alert["gpu"], alert["usage"], alert["threshold"]) == (1, usage, threshold)
    assert (alert["message"], alert["recommendations"]) == (message, recommendations)
    used = int(100 * usage) * MIB
    assert alert["context"] == {"total_memory": 10_000 * MIB, "used_memory": used, "free_memory": 10_000 * MIB - used}
    assert alert["text"] == f"[GPU 1] {level}: {message} ({usage:.1f}% > {threshold:.1f}%)"
    assert alert["type"] and alert["late"] < 60


@pytest.mark.parametrize("level", EXPECTED)
def test_what_is_logged_of_an_alert(said: dict[str, Any], level: str) -> None:
    logged_at = EXPECTED[level][0]
    assert [logged_at, said["alerts"][level]["text"]] in said["records"]
    texts = [text for _, text in said["records"] if text.startswith("[GPU ")]
    assert len(texts) >= 3 and all(text.startswith("[GPU 1]") for text in texts)
    assert said["loggers"] == ["DualGPUOpt.MemoryMonitor"]


def test_an_alert_is_logged_though_nobody_listens(run_script: ScriptRunner) -> None:
    run_script(
        """
records = listen()
monitor = legacy.MemoryMonitor(0.02)
GPU0.at(85)
monitor.start_monitoring()
eventually(lambda: len(records.all) > 3)
monitor.stop_monitoring()
assert set(records.all) == {("WARNING", "[GPU 0] WARNING: Memory usage on GPU 0 is high (85.0% > 80.0%)")}, records.all
""",
    )


def test_alerts_come_by_gpu_and_then_as_registered(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
heard = []
monitor = legacy.MemoryMonitor(0.02)
GPU0.at(92), GPU1.at(85)
def listener(name):
    return lambda alert: heard.append((name, alert.gpu_id))
first, second = listener("first"), listener("second")
for level in (Level.WARNING, Level.CRITICAL):
    for callback in (second, first, second):
        monitor.register_alert_callback(level, callback)
monitor.start_monitoring()
eventually(lambda: len(heard) >= 18)
monitor.stop_monitoring()
report(heard=heard[:18])
""",
    )
    one_poll = [[name, gpu] for gpu in (0, 1) for name in ("second", "first", "second")]
    assert facts["heard"] == one_poll * 3


def test_an_alert_fires_again_at_every_poll(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
heard = [0, 0]
def count(alert):
    heard[alert.gpu_id] += 1
monitor = legacy.MemoryMonitor(0.02)
monitor.register_alert_callback(Level.WARNING, count)
GPU0.at(85), GPU1.at(85)
monitor.start_monitoring()
eventually(lambda: GPU1.reads >= 50)
monitor.stop_monitoring()
report(heard=heard, reads=[GPU0.reads, GPU1.reads])
""",
    )
    for heard, reads in zip(facts["heard"], facts["reads"]):
        assert reads * 0.8 - 2 <= heard <= reads


def test_edge_triggered_alerts_on_request(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
heard = []
monitor = legacy.MemoryMonitor(0.02)
monitor.register_alert_callback(Level.WARNING, lambda alert: heard.append(alert.gpu_id))
GPU0.at(85), GPU1.at(85)
monitor.start_monitoring()
eventually(lambda: GPU1.reads >= 30 and len(heard) >= 2)
monitor.stop_monitoring()
report(heard=sorted(heard))
""",
        DUALGPUOPT_ALERTS="edge",
    )
    assert facts["heard"] == [0, 1]


def test_registration_and_its_answers(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
monitor = legacy.MemoryMonitor(0.02)
heard, a, b = [], lambda alert: heard.append("a"), lambda alert: heard.append("b")
report(returned=[monitor.register_alert_callback(Level.WARNING, one) for one in (a, b, a)])
report(removed=monitor.unregister_alert_callback(Level.WARNING, a))
report(other=monitor.unregister_alert_callback(Level.CRITICAL, a))
GPU0.at(85)
monitor.start_monitoring()
eventually(lambda: len(heard) >= 6)
monitor.stop_monitoring()
report(heard="".join(heard[:6]))
report(left=[monitor.unregister_alert_callback(Level.WARNING, one) for one in (a, a, b, b)])
refused = []
for level in ("WARNING", 2, None, legacy.MemoryUnit.KB):
    for method in (monitor.register_alert_callback, monitor.unregister_alert_callback):
        try:
            method(level, a)
        except KeyError:
            refused.append(1)
report(refused=len(refused))
""",
    )
    assert facts["returned"] == [None, None, None]
    assert (facts["removed"], facts["other"]) == (True, False)
    assert facts["heard"] == "bababa"
    assert facts["left"] == [True, False, True, False]
    assert facts["refused"] == 8


def test_an_exception_in_a_callback_is_logged_and_isolated(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
records, heard = listen(), []
monitor = legacy.MemoryMonitor(0.02)
def broken(alert):
    raise ValueError("no good")
def leaving(alert):
    raise SystemExit(3)
for callback in (broken, leaving, heard.append):
    monitor.register_alert_callback(Level.WARNING, callback)
GPU0.at(85)
monitor.start_monitoring()
eventually(lambda: len(heard) >= 3)
polls()
monitor.stop_monitoring()
report(records=records.all)
""",
    )
    errors = [text for level, text in facts["records"] if level == "ERROR"]
    assert sum("no good" in text for text in errors) >= 3
    assert len(errors) >= 6


def test_a_callback_may_stop_the_monitor(run_script: ScriptRunner) -> None:
    run_script(
        """
heard = []
monitor = legacy.MemoryMonitor(0.02)
def stop(alert):
    monitor.stop_monitoring()
    heard.append(1)
monitor.register_alert_callback(Level.WARNING, stop)
GPU0.at(85)
monitor.start_monitoring()
eventually(lambda: heard)
eventually(lambda: not monitor_threads(), "the end of the thread")
before = len(heard)
GPU0.at(10)
monitor.start_monitoring()
polls()
assert len(monitor_threads()) == 1
monitor.stop_monitoring()
""",
    )


def test_a_callback_may_unregister_itself_and_use_the_monitor(run_script: ScriptRunner) -> None:
    facts = run_script(
        """
heard = []
monitor = legacy.MemoryMonitor(0.02)
def once(alert):
    heard.append("once")
    assert monitor.unregister_alert_callback(Level.WARNING, once)
def ask(alert):
    heard.append("ask" if monitor.get_memory_stats(alert.gpu_id) and monitor.get_all_stats() else "nothing")
for callback in (once, ask, lambda alert: heard.append("last")):
    monitor.register_alert_callback(Level.WARNING, callback)
GPU0.at(85)
monitor.start_monitoring()
eventually(lambda: len(heard) >= 5)
monitor.stop_monitoring()
report(heard=heard[:5])
""",
    )
    assert facts["heard"] == ["once", "ask", "last", "ask", "last"]


def test_a_slow_callback_does_not_stall_the_readings(run_script: ScriptRunner) -> None:
    run_script(
        """
begun, release = threading.Event(), threading.Event()
def slow(alert):
    begun.set()
    release.wait(20)
monitor = legacy.MemoryMonitor(0.02)
monitor.register_alert_callback(Level.WARNING, slow)
GPU0.at(85)
monitor.start_monitoring()
assert begun.wait(10)
polls(10)
GPU1.at(40)
eventually(lambda: monitor.get_memory_stats(1, legacy.MemoryUnit.MB)["used"] == 4_000)
stopping = time.monotonic()
monitor.stop_monitoring()
assert time.monotonic() - stopping < 2.0
release.set()
""",
    )


def test_callers_of_the_application_keep_working(run_script: ScriptRunner) -> None:
    """What the GUI does: it reads the alert's GPU and its context, and asks only whether there is a monitor."""
    facts = run_script(
        """
from dualgpuopt.memory_monitor import MemoryAlertLevel, get_memory_monitor
lines = []
def on_alert(alert):
    used, total = alert.context["used_memory"], alert.context["total_memory"]
    lines.append(f"GPU {alert.gpu_id}: {used / total:.0%}")
monitor = get_memory_monitor()
assert monitor
monitor.register_alert_callback(MemoryAlertLevel.WARNING, on_alert)
GPU1.at(85)
monitor.start_monitoring()
eventually(lambda: lines)
report(line=lines[0])
""",
    )
    assert facts["line"] == "GPU 1: 85%"
