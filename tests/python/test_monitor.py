"""The new API: looking, being told, and a source of one's own."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import time
from pathlib import Path

import numpy
import pytest

from conftest import GIB, StagedSource, eventually
from dualgpuopt.memory.alerts import AlertLevel, MemoryAlert, Threshold, Thresholds
from dualgpuopt.memory.metrics import plain
from dualgpuopt.memory.monitor import MemoryMonitor, MonitorError
from dualgpuopt.memory.recovery import Decision, Ladder, RecoveryRequest, RecoveryStrategy, RungLimits
from dualgpuopt.memory.sources import Measurement


def test_shows_what_the_source_says(staged: StagedSource) -> None:
    with MemoryMonitor(staged, interval=0.05) as monitor:
        snapshot = monitor.wait_for_snapshot(timeout=10)
        assert [device.key for device in monitor.devices] == ["staged-0", "staged-1"]
    first = snapshot.devices[0]
    assert (first.status, first.level, snapshot.provenance) == ("ok", AlertLevel.NORMAL, "driver")
    assert first.memory is not None
    assert (first.memory.total, first.memory.used, first.memory.free) == (24 * GIB, 2 * GIB, 22 * GIB)
    assert first.processes is not None
    assert first.processes.entries[0].pid == 4711


def test_a_device_that_cannot_be_read_says_why(staged: StagedSource) -> None:
    staged.used[1] = -1
    with MemoryMonitor(staged, interval=0.05) as monitor:
        eventually(lambda: monitor.snapshot().sequence >= 2)
        one, other = monitor.snapshot().devices
    assert one.status == "ok"
    assert (other.status, other.memory, other.reason) == ("unavailable", None, "it fell off the bus")


@pytest.mark.parametrize("trouble", [ValueError("what?"), KeyError(), SystemExit(3), KeyboardInterrupt()])
def test_a_source_that_raises_makes_its_devices_unavailable(staged: StagedSource, trouble: BaseException) -> None:
    with MemoryMonitor(staged, interval=0.02) as monitor:
        eventually(lambda: monitor.snapshot().sequence >= 1)
        staged.trouble = trouble  # type: ignore[assignment]
        eventually(lambda: monitor.snapshot().devices[0].status == "unavailable")
        assert type(trouble).__name__ in monitor.snapshot().devices[0].reason
        staged.trouble = None
        eventually(lambda: monitor.snapshot().devices[0].status == "ok")


def test_a_source_that_answers_nonsense_is_told_so(staged: StagedSource) -> None:
    staged.read = lambda gpu, processes: ("much", None)  # type: ignore[assignment, method-assign, return-value]
    with MemoryMonitor(staged, interval=0.05) as monitor:
        eventually(lambda: monitor.snapshot().sequence >= 1)
        assert "the source staged failed" in monitor.snapshot().devices[0].reason


def test_no_driver_is_an_error_with_the_reason() -> None:
    with pytest.raises(MonitorError, match=r"(?s)no GPU was found.*libnvidia-ml"):
        MemoryMonitor()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"source": "cuda"}, "unknown source"),
        ({"thresholds": Thresholds(warning=Threshold(99.0))}, "warning"),
        ({"interval": 0.0}, "polling.shortest"),
        ({"ladder": Ladder(mode="maybe")}, "maybe"),
        ({"config": "x.toml", "interval": 1.0}, "leave out the settings"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MemoryMonitor(**{"source": "sim:demo", **settings})  # type: ignore[arg-type]


def test_reads_a_configuration_file(tmp_path: Path, staged: StagedSource) -> None:
    file = tmp_path / "gpumem.toml"
    file.write_text('[thresholds.warning]\npercent = "5%"\n')
    monitor = MemoryMonitor(staged, config=file)
    assert monitor.step().devices[0].level is AlertLevel.WARNING
    with pytest.raises(FileNotFoundError):
        MemoryMonitor(staged, config=tmp_path / "none.toml")


def test_subscribers_hear_at_or_above_or_exactly(staged: StagedSource) -> None:
    monitor = MemoryMonitor(staged, interval=0.05)
    heard: list[MemoryAlert] = []
    exactly: list[MemoryAlert] = []
    monitor.subscribe(AlertLevel.WARNING, heard.append)
    monitor.subscribe(AlertLevel.WARNING, exactly.append, exactly=True)
    staged.used[0] = 23 * GIB
    monitor.step()
    assert [(alert.event, alert.level, alert.gpu) for alert in heard] == [("raised", AlertLevel.EMERGENCY, 0)]
    assert exactly == []
    assert str(heard[0]) == "[GPU 0] EMERGENCY: Memory usage on GPU 0 is at emergency level, OOM risk (95.8% > 95.0%)"
    staged.used[0] = GIB
    monitor.step()
    assert [alert.event for alert in heard] == ["raised", "cleared"]


class GrowingSource(StagedSource):
    """One GPU whose use grows by 10 GiB a second from 2 GiB on."""

    def __init__(self) -> None:
        super().__init__([2 * GIB])
        self._start = time.monotonic()

    def read(self, gpu: int, processes: bool) -> Measurement:
        self.used[0] = min(24 * GIB, 2 * GIB + int(10 * GIB * (time.monotonic() - self._start)))
        return super().read(gpu, processes)


def test_a_forecast_warns_before_a_percentage_does() -> None:
    monitor = MemoryMonitor(GrowingSource(), interval=0.05)
    heard: list[MemoryAlert] = []
    monitor.subscribe(AlertLevel.WARNING, heard.append)
    eventually(lambda: monitor.step() and heard)
    first = heard[0]
    assert (first.level, first.reached_by) == (AlertLevel.WARNING, "time_to_oom")
    assert first.used_percent < 80
    assert first.forecast is not None
    assert (first.forecast.regime, first.forecast.step, first.forecast.since_oom) == ("growing", None, None)
    assert first.forecast.explanation.startswith("grows by ")
    assert "is forecast to run out of memory (in " in str(first)


def test_a_forecast_does_not_warn_where_it_does_not_count() -> None:
    thresholds = Thresholds(warning=Threshold(80.0))
    monitor = MemoryMonitor(GrowingSource(), interval=0.05, thresholds=thresholds)
    heard: list[MemoryAlert] = []
    monitor.subscribe(AlertLevel.WARNING, heard.append)
    eventually(lambda: monitor.step() and heard)
    assert heard[0].reached_by == "percent"
    assert heard[0].used_percent >= 80


def test_snapshots_tell_of_leaks_and_of_the_forecasts_accuracy(staged: StagedSource) -> None:
    with MemoryMonitor(staged, interval=0.05) as monitor:
        device = monitor.wait_for_snapshot(timeout=10).devices[0]
    assert device.leaks == ()
    assert (device.accuracy.due, device.accuracy.brier_score, device.accuracy.exhaustions) == (0, None, 0)


def test_a_cancelled_subscription_hears_nothing(staged: StagedSource) -> None:
    monitor = MemoryMonitor(staged)
    heard: list[MemoryAlert] = []
    with monitor.subscribe(AlertLevel.WARNING, heard.append):
        pass
    staged.used[0] = 23 * GIB
    monitor.step()
    assert heard == []


def test_one_callback_that_fails_is_logged_and_does_not_keep_the_others(
    staged: StagedSource, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = MemoryMonitor(staged)
    heard: list[MemoryAlert] = []

    def fail(alert: MemoryAlert) -> None:
        raise SystemExit("no more")

    monitor.subscribe(AlertLevel.WARNING, fail)
    monitor.subscribe(AlertLevel.WARNING, heard.append)
    staged.used[0] = 23 * GIB
    with caplog.at_level(logging.INFO, "dualgpuopt.memory"):
        monitor.step()
    assert len(heard) == 1
    assert "A callback failed: SystemExit: no more" in caplog.text


def test_alerts_are_logged_with_their_provenance(caplog: pytest.LogCaptureFixture) -> None:
    source = StagedSource([23 * GIB], provenance="simulated")
    with caplog.at_level(logging.INFO, "dualgpuopt.memory"):
        MemoryMonitor(source).step()
    record = caplog.records[0]
    assert (record.name, record.levelno) == ("dualgpuopt.memory.alerts", logging.CRITICAL)
    assert record.getMessage().endswith("(simulated)")


def climb(staged: StagedSource, callback: object, **ladder: object) -> list[object]:
    """The decisions of one climb on GPU 0."""
    decisions: list[object] = []
    settings = Ladder(settle=0.01, cooldown=60.0, **ladder)  # type: ignore[arg-type]
    with MemoryMonitor(staged, interval=0.02, ladder=settings) as monitor:
        monitor.subscribe_decisions(decisions.append)
        monitor.register_strategy(RecoveryStrategy.CLEAR_CACHE, callback)  # type: ignore[arg-type]
        staged.used[0] = 22 * GIB
        eventually(lambda: decisions)
        assert monitor.recent_decisions() == decisions
    return decisions


def test_a_strategy_frees_memory_and_the_driver_says_so(staged: StagedSource) -> None:
    requests: list[RecoveryRequest] = []

    def free(request: RecoveryRequest) -> tuple[bool, str]:
        requests.append(request)
        staged.used[0] = 4 * GIB
        return True, "emptied it"

    (decision,) = climb(staged, free)
    assert decision.end == "target_reached"  # type: ignore[attr-defined]
    assert decision.freed == 18 * GIB  # type: ignore[attr-defined]
    (rung,) = decision.rungs  # type: ignore[attr-defined]
    assert (rung.strategy, rung.outcome, rung.detail) == (RecoveryStrategy.CLEAR_CACHE, "freed", "emptied it")
    assert requests[0].bytes_to_free == 4 * GIB
    assert 0 < requests[0].time_left <= 10
    assert not requests[0].stop_requested()


def test_a_strategy_that_lies_or_raises_is_found_out(staged: StagedSource) -> None:
    (lied,) = climb(staged, lambda request: True)
    assert lied.rungs[0].outcome == "freed_nothing"  # type: ignore[attr-defined]
    staged.used[0] = GIB

    def fail(request: RecoveryRequest) -> bool:
        raise RuntimeError("no")

    (failed,) = climb(staged, fail)
    assert (failed.rungs[0].outcome, failed.rungs[0].detail) == ("failed", "RuntimeError: no")  # type: ignore[attr-defined]


def test_a_rung_is_kept_for_what_is_worse(staged: StagedSource) -> None:
    limits = {RecoveryStrategy.CLEAR_CACHE: RungLimits(from_level=AlertLevel.EMERGENCY, settle=0.01, time_limit=1.0)}
    (decision,) = climb(staged, lambda request: pytest.fail("it may not run"), limits=limits)
    (rung,) = decision.rungs  # type: ignore[attr-defined]
    assert rung.outcome == "skipped"
    assert rung.detail == "not run: it is from emergency on, and the level is critical"
    assert (rung.own_before, rung.own_after, rung.candidates) == (None, None, ())
    with pytest.raises(ValueError, match=r"clear_cache\.time_limit is 0"):
        MemoryMonitor(staged, ladder=Ladder(limits={RecoveryStrategy.CLEAR_CACHE: RungLimits(time_limit=0)}))


def test_adaptive_thresholds_are_taken_and_have_not_moved_at_first() -> None:
    thresholds = Thresholds(adaptive=True, warning=Threshold(80, range=(50, 85)))
    assert thresholds.as_config()["warning"]["highest"] == 85
    monitor = MemoryMonitor("sim:demo", thresholds=thresholds)
    assert monitor.step().devices[0].thresholds == ()
    monitor.close()
    with pytest.raises(ValueError, match="the range of the warning level is 85 to 50 percent"):
        MemoryMonitor("sim:demo", thresholds=Thresholds(adaptive=True, warning=Threshold(80, range=(85, 50))))


def test_a_forecast_starts_a_climb_before_any_level_does(staged: StagedSource) -> None:
    decisions: list[Decision] = []
    ladder = Ladder(settle=0.01, rung_time_limit=5.0)
    with MemoryMonitor(staged, interval=0.02, ladder=ladder) as monitor:
        monitor.subscribe_decisions(decisions.append)
        monitor.register_strategy(RecoveryStrategy.CLEAR_CACHE, lambda request: True)

        begun = time.monotonic()

        def grown() -> bool:
            staged.used[0] = 2 * GIB + round((time.monotonic() - begun) * 4 * GIB)  # full after 5.5 s
            return bool(decisions)

        eventually(grown)
    decision = decisions[0]
    assert decision.cause == "forecast"
    assert decision.level < AlertLevel.CRITICAL
    assert decision.forecast is not None
    assert decision.forecast.time_to_oom is not None
    assert decision.forecast.time_to_oom <= 10.01


@pytest.mark.parametrize(
    "answer",
    [
        (),
        (True, "", (), "more"),
        (True, "", ("no candidate",)),
        (True, "", (("cache", "1 GiB", 1.0, True, ""),)),
        numpy.ones(2),
    ],
)
def test_an_answer_that_is_none_fails_its_rung_and_the_next_is_tried(staged: StagedSource, answer: object) -> None:
    called: list[object] = []
    decisions: list[Decision] = []
    with MemoryMonitor(staged, interval=0.02, ladder=Ladder(settle=0.01, cooldown=60.0)) as monitor:
        monitor.subscribe_decisions(decisions.append)
        monitor.register_strategy(RecoveryStrategy.CLEAR_CACHE, lambda request: answer)  # type: ignore[arg-type, return-value]
        monitor.register_strategy(RecoveryStrategy.OFFLOAD, called.append)  # type: ignore[arg-type]
        staged.used[0] = 22 * GIB
        eventually(lambda: decisions)
    assert decisions[0].rungs[0].outcome == "failed"
    assert decisions[0].rungs[0].detail
    assert len(called) == 1


def test_nothing_acts_on_simulated_readings() -> None:
    called: list[object] = []
    (decision,) = climb(StagedSource([GIB], provenance="simulated"), called.append)
    assert (decision.end, called) == ("dry_run", [])  # type: ignore[attr-defined]


def test_history_as_lists_and_as_arrays(staged: StagedSource) -> None:
    monitor = MemoryMonitor(staged)
    monitor.step()
    assert monitor.history(0).last == [2 * GIB]
    assert monitor.history(99).start == []
    arrays = monitor.history(1, numpy=True)
    assert isinstance(arrays.last, numpy.ndarray)
    assert arrays.last[0] == 3 * GIB
    summary = monitor.summary(0, 60.0)
    assert summary is not None
    assert (summary.points, summary.last) == (1, 2 * GIB)
    with pytest.raises(ValueError, match="second, minute or hour"):
        monitor.history(0, "week")


def test_values_can_be_pickled_compared_and_written_as_json(staged: StagedSource) -> None:
    monitor = MemoryMonitor(staged)
    heard: list[MemoryAlert] = []
    monitor.subscribe(AlertLevel.WARNING, heard.append)
    staged.used[0] = 22 * GIB
    snapshot = monitor.step()
    for value in (snapshot, heard[0], monitor.history(0)):
        assert pickle.loads(pickle.dumps(value)) == value
        json.dumps(plain(value))
    assert snapshot.as_dict()["devices"][0]["level"] == "critical"
    assert heard[0].as_dict()["memory"]["used"] == 22 * GIB


def test_events_come_one_after_the_other_until_the_end(staged: StagedSource) -> None:
    async def listen(monitor: MemoryMonitor) -> list[str]:
        seen = []
        asyncio.get_running_loop().call_soon(staged.used.__setitem__, 0, 20 * GIB)  # when we listen
        async for event in monitor.events():
            assert isinstance(event, MemoryAlert)
            seen.append(event.event)
            staged.used[0] = GIB
            if event.event == "cleared":
                await asyncio.get_running_loop().run_in_executor(None, monitor.close)
        return seen

    with MemoryMonitor(staged, interval=0.02) as monitor:
        assert asyncio.run(asyncio.wait_for(listen(monitor), 20)) == ["raised", "cleared"]
        assert monitor._subscribers == []


def test_a_closed_monitor_says_so(staged: StagedSource) -> None:
    monitor = MemoryMonitor(staged)
    monitor.close()
    monitor.close()
    monitor.stop()
    assert not monitor.running
    for call in (monitor.start, monitor.snapshot, monitor.step, monitor.release_driver, lambda: monitor.devices):
        with pytest.raises(MonitorError, match="closed"):
            call()


def test_step_is_for_a_monitor_that_does_not_run(staged: StagedSource) -> None:
    with MemoryMonitor(staged, interval=0.05) as monitor, pytest.raises(MonitorError, match="stop"):
        monitor.step()


def test_released_drivers_are_opened_again(staged: StagedSource) -> None:
    monitor = MemoryMonitor(staged, interval=0.02)
    monitor.start()
    monitor.release_driver()
    assert not monitor.running
    before = monitor.snapshot().sequence
    monitor.start()
    assert monitor.wait_for_snapshot(before, timeout=10).sequence > before
    monitor.close()
