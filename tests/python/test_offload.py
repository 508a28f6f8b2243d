"""The offloading rung from Python: who is moved, when, on which thread, and what comes back."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as some

from conftest import GIB, StagedSource, eventually
from dualgpuopt.memory.alerts import AlertLevel
from dualgpuopt.memory.metrics import Device, DeviceSnapshot, Forecast, ForecastAccuracy, MemoryUse, Reading, Snapshot
from dualgpuopt.memory.monitor import MemoryMonitor
from dualgpuopt.memory.offload import (
    HostRoom,
    Offloadable,
    Offloader,
    OffloadPolicy,
    OffloadRegistration,
    host_room,
)
from dualgpuopt.memory.recovery import Decision, Ladder, RecoveryRequest, RecoveryStrategy, StrategyAnswer


class Part(Offloadable):
    """An object whose moves a test counts and disturbs."""

    def __init__(self, name: str = "part", size: int = GIB, priority: float = 0.0, gpu: int = 0) -> None:
        self.name, self.size, self.priority, self.gpu = name, size, priority, gpu
        self.away = False
        self.offloads = self.restores = 0
        self.on_offload: Callable[[], object] = lambda: None
        self.on_restore: Callable[[], object] = lambda: None

    def bytes_on_device(self) -> int:
        return 0 if self.away else self.size

    def offload(self) -> None:
        self.on_offload()
        assert not self.away
        self.away = True
        self.offloads += 1

    def restore(self) -> None:
        self.on_restore()
        assert self.away
        self.away = False
        self.restores += 1


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def memory_of(used: int) -> MemoryUse:
    return MemoryUse(used, 24 * GIB, 24 * GIB - used, None, "with_reserved", used, 100 * used / (24 * GIB))


def request_for(
    size: int, gpu: int = 0, time_left: float = 10.0, stop: Callable[[], bool] = lambda: False
) -> RecoveryRequest:
    reading = Reading(gpu, 0.0, None, "driver", memory_of(23 * GIB), "", None, ())
    return RecoveryRequest(RecoveryStrategy.OFFLOAD, gpu, reading, 0, size, time_left, stop)


def snapshot_of(used: int, t: float, **changes: Any) -> Snapshot:
    reading = Reading(0, t, None, "driver", memory_of(used), "", None, ())
    device = DeviceSnapshot(
        Device(0, "staged-0"),
        "ok",
        "",
        reading,
        AlertLevel.NORMAL,
        None,
        None,
        used,
        (),
        ForecastAccuracy(*[0] * 9),
        (),
        (),
    )
    return Snapshot(1, t, None, "driver", (device._replace(**changes),))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def offloader(clock: Clock) -> Offloader:
    return Offloader(host_room=lambda: HostRoom(1000 * GIB, "a large host"), clock=clock, give_back=lambda gpu: None)


def test_the_least_valuable_leave_first_and_no_more_than_suffice(offloader: Offloader) -> None:
    parts = [Part("best", priority=2.0), Part("worst"), Part("better", priority=1.0)]
    for part in parts:
        offloader.add(part)
    answer = offloader(request_for(2 * GIB))
    assert (answer.succeeded, answer.detail) == (True, "offloaded worst (1.0 GiB); offloaded better (1.0 GiB)")
    assert [part.away for part in parts] == [False, True, True]
    assert [(each.what, each.score, each.chosen) for each in answer.candidates] == [
        ("worst", 2.0, True),
        ("better", 1.0, True),
        ("best", 0.0, False),
    ]
    assert answer.candidates[0].reason == "priority 0, unused for 0 min"


def test_what_allocators_keep_is_given_back_after_each_offload(clock: Clock) -> None:
    order: list[object] = []
    offloader = Offloader(host_room=lambda: HostRoom(9 * GIB, ""), clock=clock, give_back=order.append)
    part = Part(gpu=1)
    part.on_offload = lambda: order.append("moved")
    offloader.add(part)
    assert offloader(request_for(GIB, gpu=1)).succeeded
    assert order == ["moved", 1]


@pytest.mark.parametrize("error", [ValueError("no such cache"), KeyboardInterrupt()])
def test_what_has_left_has_left_even_where_nothing_could_be_given_back(clock: Clock, error: BaseException) -> None:
    def give_back(gpu: int) -> None:
        raise error

    offloader = Offloader(host_room=lambda: HostRoom(9 * GIB, ""), clock=clock, give_back=give_back)
    part = Part()
    registration = offloader.add(part)
    with contextlib.suppress(KeyboardInterrupt):
        assert offloader(request_for(GIB)).succeeded
    assert registration.status().residence == "offloaded"  # type: ignore[union-attr]
    with registration.use():
        assert not part.away


def fail(text: str) -> Callable[[], object]:
    def run() -> object:
        raise RuntimeError(text)

    return run


def test_one_that_fails_is_recorded_and_the_next_is_tried(offloader: Offloader) -> None:
    bad, good = Part("bad"), Part("good", priority=1.0)
    bad.on_offload = fail("pinned memory is short")
    registration = offloader.add(bad)
    offloader.add(good)
    answer = offloader(request_for(GIB))
    assert answer.succeeded and good.away and not bad.away
    assert answer.detail.startswith("bad could not be offloaded: RuntimeError: pinned memory is short; offloaded good")
    assert answer.candidates[0].reason.endswith("it failed: RuntimeError: pinned memory is short")
    assert registration.status().problem == "RuntimeError: pinned memory is short"


@pytest.mark.parametrize(
    ("room", "words"),
    [
        (HostRoom(GIB + 5, "the limit of the cgroup /jobs"), "5 B above the reserve, by the limit of the cgroup /jobs"),
        (HostRoom(None, "no /proc"), "what the host has left is not known: no /proc"),
    ],
)
def test_without_room_on_the_host_it_refuses_and_says_so(room: HostRoom, words: str) -> None:
    offloader = Offloader(host_room=lambda: room)
    part = Part()
    offloader.add(part)
    answer = offloader(request_for(GIB))
    assert not answer.succeeded
    assert words in answer.detail
    assert part.offloads == 0


def test_the_hosts_room_is_this_machines() -> None:
    room = host_room()
    assert room.bytes is not None and room.bytes > 0
    assert room.text


def test_what_cannot_be_asked_is_no_candidate(offloader: Offloader) -> None:
    part = Part()
    offloader.add(part)
    part.bytes_on_device = fail("who knows?")  # type: ignore[assignment, method-assign]
    answer = offloader(request_for(GIB))
    assert (answer.detail, answer.candidates[0].reason) == ("there is nothing to offload", "RuntimeError: who knows?")


def test_a_stop_or_the_deadline_ends_it_between_two_objects(offloader: Offloader) -> None:
    stopped = threading.Event()
    first, second = Part("first"), Part("second", priority=1.0)
    first.on_offload = stopped.set
    for part in (first, second):
        offloader.add(part)
    assert offloader(request_for(2 * GIB, stop=stopped.is_set)).detail == "offloaded first (1.0 GiB); the time was up"
    assert offloader(request_for(GIB, time_left=0.0)).detail == "the time was up"
    assert second.offloads == 0


def test_a_part_that_waits_for_safe_points_is_moved_by_the_program(offloader: Offloader) -> None:
    part = Part()
    threads: list[str] = []
    part.on_offload = lambda: threads.append(threading.current_thread().name)
    offloader.add(part, at_safe_point=True)
    answers: list[StrategyAnswer] = []
    rung = threading.Thread(target=lambda: answers.append(offloader(request_for(GIB))))
    rung.start()
    eventually(offloader.safe_point)
    rung.join(10)
    assert answers[0].succeeded
    assert threads == [threading.current_thread().name]


def test_without_a_safe_point_the_wish_is_taken_back(offloader: Offloader) -> None:
    offloader.add(Part("model"), at_safe_point=True)
    answer = offloader(request_for(GIB, time_left=0.02))
    assert "model could not be offloaded: no safe point came in time" in answer.detail
    assert offloader.safe_point() == []


def test_in_a_safe_region_the_rung_moves_them_itself_and_is_waited_for(offloader: Offloader) -> None:
    part = Part()
    begun, go_on = threading.Event(), threading.Event()
    part.on_offload = lambda: (begun.set(), go_on.wait(10))
    offloader.add(part, at_safe_point=True)
    rung = threading.Thread(target=offloader, args=(request_for(GIB),))
    rung.start()
    with offloader.safe_region():
        assert begun.wait(10)
        threading.Timer(0.02, go_on.set).start()
    assert part.away
    rung.join(10)


def test_what_fits_comes_back_when_the_hold_off_is_over(offloader: Offloader, clock: Clock) -> None:
    part = Part("part")
    offloader.add(part)
    offloader(request_for(GIB))
    assert offloader.on_snapshot(snapshot_of(2 * GIB, 0.0)) == [], "too soon"
    clock.now += 61
    assert offloader.on_snapshot(snapshot_of(23 * GIB, 61.0)) == [], "no room"
    assert offloader.on_snapshot(snapshot_of(2 * GIB, 61.0, level=AlertLevel.WARNING)) == []
    assert offloader.on_snapshot(snapshot_of(2 * GIB, 61.0, status="stale")) == []
    assert offloader.on_snapshot(snapshot_of(2 * GIB, 61.0), t=80.0) == [], "old"
    risky = Forecast(61.0, None, 60.0, 5.0, 4.0, 6.0, 0.9, 2 * GIB, 0, 0, 0.0, "growing", None, None, None, "")
    assert offloader.on_snapshot(snapshot_of(2 * GIB, 61.0, forecast=risky)) == []
    calm = risky._replace(risk=0.0, expected_used=2 * GIB)
    (move,) = offloader.on_snapshot(snapshot_of(2 * GIB, 61.0, forecast=calm))
    assert (move.name, move.direction, move.problem, move.bytes) == ("part", "to_device", None, GIB)
    assert not part.away


@pytest.mark.parametrize("provenance", ["simulated", "replayed"])
def test_nothing_moves_on_numbers_that_no_driver_measured(offloader: Offloader, clock: Clock, provenance: str) -> None:
    offloader.add(Part())
    offloader(request_for(GIB))
    clock.now += 61
    snapshot = snapshot_of(2 * GIB, 61.0)
    device = snapshot.devices[0]
    moved = device._replace(reading=device.reading._replace(provenance=provenance))
    assert offloader.on_snapshot(snapshot._replace(devices=(moved,))) == []


def test_a_restore_that_fails_is_reported_and_tried_later(offloader: Offloader, clock: Clock) -> None:
    part = Part()
    part.on_restore = fail("CUDA out of memory")
    registration = offloader.add(part)
    offloader(request_for(GIB))
    clock.now += 61
    (move,) = offloader.on_snapshot(snapshot_of(2 * GIB, 61.0))
    assert move.problem == "RuntimeError: CUDA out of memory"
    assert (registration.status().residence, registration.status().problem) == ("offloaded", move.problem)
    assert offloader.on_snapshot(snapshot_of(2 * GIB, 62.0)) == []
    with pytest.raises(RuntimeError, match="out of memory"), registration.use():
        pass
    part.on_restore = lambda: None
    clock.now += 600
    assert offloader.on_snapshot(snapshot_of(2 * GIB, 662.0))[0].problem is None


def test_what_may_come_back_at_a_safe_point_waits_for_one(offloader: Offloader, clock: Clock) -> None:
    part = Part()
    offloader.add(part, at_safe_point=True)
    with offloader.safe_region():
        offloader(request_for(GIB))
    clock.now += 61
    assert offloader.on_snapshot(snapshot_of(2 * GIB, 61.0)) == []
    clock.now += 11
    assert offloader.safe_point() == [], "what was seen is old by now"
    assert offloader.on_snapshot(snapshot_of(2 * GIB, 72.0)) == []
    assert [move.direction for move in offloader.safe_point()] == ["to_device"]
    assert not part.away


def test_what_is_used_comes_back_and_stays(offloader: Offloader) -> None:
    part = Part()
    registration = offloader.add(part)
    offloader(request_for(GIB))
    with registration.use():
        assert not part.away
        assert offloader(request_for(GIB)).candidates[0].reason == "it is in use"
    assert offloader(request_for(GIB)).succeeded
    registration.cancel()
    registration.cancel()
    with pytest.raises(LookupError):
        registration.status()
    with pytest.raises(LookupError), registration.use():
        pass


def test_a_registration_that_ends_waits_for_the_move(offloader: Offloader) -> None:
    part = Part()
    begun, go_on = threading.Event(), threading.Event()
    part.on_offload = lambda: (begun.set(), go_on.wait(10))
    registration = offloader.add(part)
    rung = threading.Thread(target=offloader, args=(request_for(GIB),))
    rung.start()
    assert begun.wait(10)
    threading.Timer(0.02, go_on.set).start()
    registration.cancel()
    assert part.away
    rung.join(10)


def test_a_registration_may_end_from_within_the_move(offloader: Offloader) -> None:
    part = Part()
    registration = offloader.add(part)
    part.on_offload = registration.cancel
    assert offloader(request_for(GIB)).succeeded
    assert offloader.objects() == ()


def test_two_gpus_are_offloaded_from_at_once(offloader: Offloader) -> None:
    meeting = threading.Barrier(2)
    for gpu in (0, 1):
        part = Part(gpu=gpu)
        part.on_offload = lambda: meeting.wait(10)
        offloader.add(part)
    answers: list[StrategyAnswer] = []
    rungs = [threading.Thread(target=lambda g=gpu: answers.append(offloader(request_for(GIB, g)))) for gpu in (0, 1)]
    for rung in rungs:
        rung.start()
    for rung in rungs:
        rung.join(10)
    assert [answer.succeeded for answer in answers] == [True, True]


def test_what_ends_the_program_is_recorded_and_goes_on(offloader: Offloader) -> None:
    part = Part()

    def interrupt() -> None:
        raise KeyboardInterrupt

    part.on_offload = interrupt
    registration = offloader.add(part)
    with pytest.raises(KeyboardInterrupt):
        offloader(request_for(GIB))
    assert (registration.status().residence, registration.status().problem) == ("on_device", "KeyboardInterrupt")
    part.on_offload = lambda: None
    assert offloader(request_for(GIB)).succeeded


def test_a_policy_that_makes_no_sense_is_named() -> None:
    with pytest.raises(ValueError, match="margin_percent"):
        Offloader(OffloadPolicy(margin_percent=95.0))


class Machine:
    """A GPU whose use is what it carries besides the parts that are on it."""

    def __init__(self, staged: StagedSource, part: Part) -> None:
        self.staged, self.part = staged, part
        part.on_offload = lambda: staged.used.__setitem__(0, 4 * GIB)
        part.on_restore = lambda: staged.used.__setitem__(0, 4 * GIB + part.size)

    def fill(self) -> None:
        self.staged.used[0] = 18 * GIB + self.part.size


def test_the_ladder_offloads_and_the_attached_monitor_brings_back(
    staged: StagedSource, caplog: pytest.LogCaptureFixture
) -> None:
    part = Part("model", 4 * GIB)
    machine = Machine(staged, part)
    policy = OffloadPolicy(hold_off=0.05, calm_risk=1.0)  # a second of history is too short for a calm forecast
    offloader = Offloader(policy, host_room=lambda: HostRoom(1000 * GIB, ""), give_back=lambda gpu: None)
    offloader.add(part)
    decisions: list[Decision] = []
    caplog.set_level(logging.INFO, "dualgpuopt.memory")
    with MemoryMonitor(staged, interval=0.02, ladder=Ladder(settle=0.01)) as monitor:
        monitor.subscribe_decisions(decisions.append)
        monitor.register_strategy(RecoveryStrategy.OFFLOAD, offloader)
        subscription = offloader.attach(monitor)
        machine.fill()
        eventually(lambda: decisions)
        eventually(lambda: part.restores == 1)
        eventually(lambda: "model is back" in caplog.text)
        subscription.cancel()
    (rung,) = decisions[0].rungs
    assert (rung.outcome, rung.detail) == ("freed", "offloaded model (4.0 GiB)")
    assert [(each.what, each.bytes, each.chosen) for each in rung.candidates] == [("model", 4 * GIB, True)]


def threads_named(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_what_follows_keeps_nothing_alive_and_ends(staged: StagedSource) -> None:
    monitor = MemoryMonitor(staged, interval=0.02)
    monitor.start()
    offloader = Offloader()
    offloader.attach(monitor)
    assert threads_named("gpumem-restores")
    del offloader
    gc.collect()
    eventually(lambda: not threads_named("gpumem-restores"))
    other = Offloader()
    other.attach(monitor)
    monitor.close()
    eventually(lambda: not threads_named("gpumem-restores"))


def test_a_safe_point_with_nothing_to_do_costs_next_to_nothing(offloader: Offloader) -> None:
    offloader.add(Part())
    begun = time.perf_counter()
    for _ in range(10_000):
        offloader.safe_point()
    assert time.perf_counter() - begun < 1.0


sizes = some.lists(some.integers(1, 20), min_size=1, max_size=8)


@given(sizes=sizes, wanted=some.integers(0, 120), data=some.data())
def test_never_more_than_is_needed_by_one_object(sizes: list[int], wanted: int, data: some.DataObject) -> None:
    offloader = Offloader(host_room=lambda: HostRoom(1000 * GIB, ""), give_back=lambda gpu: None)
    parts = [Part(str(i), size, float(data.draw(some.integers(0, 2)))) for i, size in enumerate(sizes)]
    for part in parts:
        offloader.add(part)
    answer = offloader(request_for(wanted))
    moved = [part for part in parts if part.away]
    freed = sum(part.size for part in moved)
    assert answer.succeeded == (freed >= wanted)
    assert freed >= min(wanted, sum(sizes))
    assert all(freed - part.size < wanted for part in moved)


@given(loads=some.lists(some.tuples(some.integers(0, 23), some.integers(0, 200)), max_size=30), sizes=sizes)
def test_every_object_is_at_one_place_after_any_course(loads: list[tuple[int, int]], sizes: list[int]) -> None:
    clock = Clock()
    offloader = Offloader(host_room=lambda: HostRoom(1000 * GIB, ""), clock=clock, give_back=lambda gpu: None)
    parts = [Part(str(i), size * GIB // 8) for i, size in enumerate(sizes)]
    registrations: list[OffloadRegistration] = [offloader.add(part) for part in parts]
    for load, seconds in loads:
        clock.now += seconds
        used = min(24 * GIB, load * GIB + sum(part.bytes_on_device() for part in parts))
        if used >= 24 * GIB * 9 // 10:
            offloader(request_for(used - 18 * GIB))
        else:
            offloader.on_snapshot(snapshot_of(used, clock.now))
        for part, registration in zip(parts, registrations):
            assert registration.status().residence == ("offloaded" if part.away else "on_device")
            assert part.offloads - part.restores == int(part.away)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    eventually(lambda: not threads_named("gpumem-restores"))
