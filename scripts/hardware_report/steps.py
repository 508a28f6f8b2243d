"""Fills one GPU in steps while gpumem watches, and says what it saw of them: use, process, forecast, alerts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .gpumem import Gpumem, Record, look, moment, watching
from .holders import CannotHold, Holder
from .markdown import MIB, Section, mib, not_run, seconds, table

WATCH_INTERVAL = "200ms"
SETTLE_S = 3.0
FILL_ALONE, FILL_SHARED = 0.97, 0.5  # of the total, nobody else being there; of what is free
SEEN = 0.9  # of a step: the driver allocates in blocks, and others may free a little meanwhile
LEFT_OVER = 64 * MIB
THRESHOLDS = {"warning": 80.0, "critical": 90.0, "emergency": 95.0}  # gpumem's own, docs/configuration.md


@dataclass(frozen=True)
class Plan:
    uuid: str
    steps: int
    pause_s: float


@dataclass(frozen=True)
class Step:
    asked: int
    begun: float
    returned: float
    next_begins: float


@dataclass(frozen=True)
class Story:
    """What was done, and every record of the watched device meanwhile."""

    pid: int
    pace: float
    steps: Sequence[Step]
    freed_at: float
    closed_at: float
    records: Sequence[Record]

    def of_type(self, kind: str, since: float = 0.0, until: float = float("inf")) -> list[Record]:
        return [record for record in self.records if record["type"] == kind and since <= moment(record) <= until]

    def readings(self, since: float = 0.0, until: float = float("inf")) -> list[Record]:
        return [record for record in self.of_type("reading", since, until) if record["status"] == "ok"]


def bytes_to_take(gpumem: Gpumem, uuid: str) -> int:
    """Nearly all of a GPU that nobody uses; half of what is free on one that somebody does."""
    device = look(gpumem)[uuid]
    if device.reading["status"] != "ok":
        raise CannotHold(f"gpumem cannot read this GPU: {device.reading['reason']}")
    free, total = device.reading["free_bytes"], device.reading["total_bytes"]
    others = [used for used in device.processes().values() if used]
    return int(free * FILL_SHARED) if others else int(total * FILL_ALONE) - (total - free)


def act(gpumem: Gpumem, plan: Plan, start_holder: Callable[[], Holder]) -> Story:
    chunk = bytes_to_take(gpumem, plan.uuid) // plan.steps // MIB * MIB
    with watching(gpumem, WATCH_INTERVAL) as records:
        time.sleep(SETTLE_S)
        holder = start_holder()
        try:
            time.sleep(SETTLE_S)
            steps = [_one_step(holder, chunk, plan.pause_s) for _ in range(plan.steps)]
            holder.free()
            freed_at = time.time()
            time.sleep(SETTLE_S)
        finally:
            holder.close()
        closed_at = time.time()
        time.sleep(SETTLE_S)
    gpu = next(record["gpu"] for record in records if record.get("uuid") == plan.uuid)
    own = [record for record in records if record["gpu"] == gpu and record["type"] != "device"]
    return Story(holder.pid, chunk / plan.pause_s, steps, freed_at, closed_at, own)


def _one_step(holder: Holder, asked: int, pause_s: float) -> Step:
    begun = time.time()
    holder.hold(asked)
    returned = time.time()
    time.sleep(max(0.0, begun + pause_s - returned))
    return Step(asked, begun, returned, time.time())


# What was seen ----------------------------------------------------------------------------------------------------


def _used_at(story: Story, when: float) -> int:
    return int(story.readings(until=when)[-1]["used_bytes"])


def _first_seen(story: Story, step: Step) -> Record | None:
    enough = _used_at(story, step.begun) + SEEN * step.asked
    later = story.readings(step.begun, step.next_begins)
    return next((reading for reading in later if reading["used_bytes"] >= enough), None)


def _process_bytes(story: Story, step: Step) -> int | None:
    """Of the newest list between the step's end and the next step."""
    for reading in reversed(story.readings(step.returned, step.next_begins)):
        for entry in reading["processes"] or []:
            if story.pid in (entry["pid"], entry.get("driver_pid")):
                return int(entry["used_bytes"]) if entry["used_bytes"] is not None else None
    return None


def _row(story: Story, number: int, step: Step) -> list[object]:
    seen = _first_seen(story, step)
    last = story.readings(until=step.next_begins)[-1]
    forecast = story.of_type("forecast", until=step.next_begins)[-1]
    return [
        number,
        mib(last["used_bytes"] - _used_at(story, step.begun)),
        "not seen" if seen is None else f"{max(0.0, moment(seen) - step.returned):.2f} s",
        mib(_process_bytes(story, step)),
        f"{last['used_percent']:.1f} %",
        seconds(forecast["time_to_oom_s"]),
        seconds(last["free_bytes"] / story.pace),
        f"{forecast['risk']:.2f}" if forecast["risk"] is not None else "n/a",
    ]


def _alert_rows(story: Story) -> Iterable[list[object]]:
    origin = story.steps[0].begun
    for alert in story.of_type("alert"):
        when = f"{moment(alert) - origin:.1f} s"
        yield [when, alert["event"], alert["level"], f"{alert['used_percent']:.1f} %", alert["message"]]


# What must hold ---------------------------------------------------------------------------------------------------


def _unseen_steps(story: Story) -> Iterable[str]:
    for number, step in enumerate(story.steps, 1):
        if _first_seen(story, step) is None:
            yield f"step {number} was not seen before the next one"


def _level(percent: float) -> str | None:
    reached = [level for level, threshold in THRESHOLDS.items() if percent >= threshold]
    return reached[-1] if reached else None


def _missing_alerts(story: Story) -> Iterable[str]:
    """A step may jump over a level: only those that a reading was in are expected."""
    expected = {_level(reading["used_percent"]) for reading in story.readings()} - {None}
    raised = {alert["level"] for alert in story.of_type("alert") if alert["event"] == "raised"}
    if expected != raised:
        reached = ", ".join(sorted(filter(None, expected)))
        yield f"use was at {reached}; raised: {', '.join(sorted(raised)) or 'nothing'}"


def _left_over(story: Story) -> Iterable[str]:
    before, after = _used_at(story, story.steps[0].begun - SETTLE_S), story.readings()[-1]["used_bytes"]
    if after > before + LEFT_OVER:
        yield f"{mib(after - before)} more in use at the end than at the beginning"


def _unknown_process(story: Story) -> Iterable[str]:
    if all(_process_bytes(story, step) is None for step in story.steps):
        yield f"no process list had process {story.pid} with its memory"


def failures(story: Story) -> list[str]:
    checks = (_unseen_steps, _missing_alerts, _left_over, _unknown_process)
    return [complaint for check in checks for complaint in check(story)]


def _lines(story: Story, plan: Plan) -> list[str]:
    chunk = story.steps[0].asked
    given_back = _used_at(story, story.freed_at) - _used_at(story, story.closed_at)
    head = ["step", "grown", "seen after", "process", "used", "forecast: full in", "at this pace in", "risk"]
    return [
        f"{plan.steps} steps of {mib(chunk)}, one each {plan.pause_s:g} s, while `gpumem watch` reads every "
        f"{WATCH_INTERVAL}. *Seen after*: from the end of the allocation to the first reading that has it, 0 where it "
        "came before. *At this pace*: what is free, divided by what a second takes.",
        "",
        *table(head, (_row(story, number, step) for number, step in enumerate(story.steps, 1))),
        "",
        f"Freeing gave {mib(given_back)} back.",
        "",
        *table(["at", "alert", "level", "used", "message"], _alert_rows(story)),
    ]


def section(title: str, gpumem: Gpumem, plan: Plan, start_holder: Callable[[], Holder]) -> Section:
    try:
        story = act(gpumem, plan, start_holder)
    except CannotHold as error:
        return not_run(title, str(error))
    return Section(title, _lines(story, plan), [f"{title}: {failure}" for failure in failures(story)])
