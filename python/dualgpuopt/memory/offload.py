"""Offloading: what a program registers is moved to the host when a GPU's memory runs out, and back when there is room.

The decisions are the core's (`_core.OffloadLedger`, the same as in C++); the objects are moved here, since no thread of
the core enters Python: by the monitor's recovery thread, or by the program itself at its safe points. For PyTorch there
are ready objects in `dualgpuopt.memory.torch_offload`.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from . import _core, _offload_follower, _threads
from ._offload_course import Course
from .alerts import AlertLevel, Subscription
from .recovery import RecoveryRequest, StrategyAnswer, default_clear_cuda_cache

if TYPE_CHECKING:
    from .metrics import DeviceSnapshot, Snapshot
    from .monitor import MemoryMonitor

__all__ = [
    "HostRoom",
    "OffloadMove",
    "OffloadPolicy",
    "OffloadRegistration",
    "OffloadStatus",
    "Offloadable",
    "Offloader",
    "host_room",
]


class HostRoom(NamedTuple):
    """What this process could still take of the host's memory.

    Attributes:
        bytes: None: not known.
        text: What bounds it, or why it is not known.

    Example:
        >>> HostRoom(2**30, "the limit of the cgroup /jobs").bytes
        1073741824
    """

    bytes: int | None
    text: str


def host_room() -> HostRoom:
    """Looks at the kernel's estimate and at the memory limits of this process's cgroups (version 2).

    Returns:
        The least of them.

    Example:
        >>> host_room().bytes > 0
        True
    """
    return HostRoom(*_core.host_room())


class OffloadPolicy(NamedTuple):
    """When what was offloaded comes back. Provisional: keys may be added.

    Attributes:
        trigger_percent: The occupied share at which the ladder starts to climb.
        margin_percent: A restore leaves the use at least so far under it, by the forecast as well.
        hold_off: Seconds between an offload on a GPU and the first restore there.
        soon: An object that leaves again sooner than so many seconds after its restore, or sooner than it had waited for
            that, waits twice as long as the last time,
        longest_wait: and at most so many seconds.
        calm_risk: Nothing comes back while a forecast sees a higher risk of exhaustion, from 0 to 1.
        freshness: Seconds; an older reading restores nothing.
        host_reserve: Bytes that the host keeps for others.

    Example:
        >>> OffloadPolicy(hold_off=30.0).longest_wait
        3600.0
    """

    trigger_percent: float = 90.0
    margin_percent: float = 10.0
    hold_off: float = 60.0
    soon: float = 300.0
    longest_wait: float = 3600.0
    calm_risk: float = 0.1
    freshness: float = 10.0
    host_reserve: int = 1 << 30


class Offloadable(ABC):
    """One thing that is moved as a whole: a model, an optimizer's state, a cache.

    Moves come one at a time; the rest may be asked from other threads meanwhile. No lock is held.

    Attributes:
        name: For records.
        gpu: Its GPU's index in the monitor; does not change.
        priority: The higher, the longer it stays.
        last_use: Seconds on the offloader's clock (`time.monotonic`); None: not known.
        at_safe_point: It may only be moved where the program says that nothing uses it.

    Example:
        >>> class Cache(Offloadable):
        ...     name, size = "cache", 2**30
        ...     def bytes_on_device(self): return self.size
        ...     def offload(self): self.size = 0
        ...     def restore(self): self.size = 2**30
        >>> Cache().priority
        0.0
    """

    name: str = "object"
    gpu: int = 0
    priority: float = 0.0
    last_use: float | None = None
    at_safe_point: bool = False

    @abstractmethod
    def bytes_on_device(self) -> int:
        """What moving it would give back now; 0 while it is on the host."""

    @abstractmethod
    def offload(self) -> None:
        """Moves it to the host. When it returns the GPU's memory is unused. If it raises, nothing has changed."""

    @abstractmethod
    def restore(self) -> None:
        """Moves it back to the same GPU. If it raises, it is on the host, whole, and will be tried again later."""


class OffloadMove(NamedTuple):
    """One object that was moved, or could not be.

    Attributes:
        name: The object's.
        gpu: Its GPU's index.
        bytes: What it holds there when at home.
        direction: "to_host" or "to_device".
        problem: Why it failed; None: it succeeded.

    Example:
        >>> OffloadMove("encoder", 0, 2**30, "to_host", None).problem is None
        True
    """

    name: str
    gpu: int
    bytes: int
    direction: str
    problem: str | None


class OffloadStatus(NamedTuple):
    """A registered object as the offloader knows it.

    Attributes:
        name: The object's.
        gpu: Its GPU's index.
        bytes: What it holds there when at home.
        priority: As it said last.
        at_safe_point: Whether it waits for safe points.
        residence: "on_device", "leaving", "offloaded" or "returning".
        users: How many keep it there at the moment.
        problem: Of its last move, if that failed.

    Example:
        >>> OffloadStatus("encoder", 0, 2**30, 0.0, True, "offloaded", 0, None).residence
        'offloaded'
    """

    name: str
    gpu: int
    bytes: int
    priority: float
    at_safe_point: bool
    residence: str
    users: int
    problem: str | None


class OffloadRegistration:
    """Holds one registration of an object, until `cancel()`, the end of a `with` block, or its own end.

    Afterwards the object is not moved any more: it stays where it is.

    Example:
        >>> class Cache(Offloadable):
        ...     def bytes_on_device(self): return 2**30
        ...     def offload(self): print("leaves")
        ...     def restore(self): print("comes back")
        >>> offloader = Offloader()
        >>> with offloader.add(Cache()) as registration:
        ...     print(registration.status().residence)
        on_device
        >>> offloader.objects()
        ()
    """

    def __init__(self, offloader: Offloader, number: int) -> None:
        self._offloader: Offloader | None = offloader
        self._number = number

    def cancel(self) -> None:
        """Ends it. Waits while another thread moves the object; idempotent."""
        offloader, self._offloader = self._offloader, None
        if offloader is not None:
            offloader._remove(self._number)

    def status(self) -> OffloadStatus:
        """Where the object is.

        Raises:
            LookupError: It was cancelled.
        """
        found = self._offloader and self._offloader._status(self._number)
        if not found:
            raise LookupError("it is not registered any more")
        return found

    @contextmanager
    def use(self) -> Iterator[None]:
        """While the block runs the object is on its GPU: it is brought back if it is away, and kept from leaving.

        Raises:
            LookupError: It was cancelled.
            Exception: What its `restore` raised.
        """
        offloader = self._offloader
        if offloader is None:
            raise LookupError("it is not registered any more")
        offloader._begin_use(self._number)
        try:
            yield
        finally:
            offloader._end_use(self._number)

    def __enter__(self) -> OffloadRegistration:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()


class _Place:
    """An object, and the thread that moves it."""

    def __init__(self, target: Offloadable) -> None:
        self.target = target
        self.mover: int | None = None


class Offloader:
    """The rung that offloads: register it as the strategy, and attach it so that what fits again comes back.

    All methods may be called from any thread. The least valuable objects leave first: the lowest priority, then the
    longest unused (to the minute), then the largest; no more than suffice. While the host has no known room for them
    they stay: a host that runs out ends the process.

    Args:
        policy: When objects come back.
        host_room: Says what the host has left.
        clock: Seconds; `time.monotonic` unless a test has its own.
        give_back: Called with the GPU's index after each offload: hands what allocators keep to the driver.

    Raises:
        ValueError: The policy makes no sense; the text names the field.

    Example:
        >>> from dualgpuopt.memory import MemoryMonitor, RecoveryStrategy
        >>> offloader = Offloader()
        >>> monitor = MemoryMonitor("sim:demo")
        >>> monitor.register_strategy(RecoveryStrategy.OFFLOAD, offloader)
        >>> with offloader.attach(monitor):  # simulated GPUs: nothing is ever moved
        ...     offloader.safe_point()
        []
        >>> monitor.close()
    """

    def __init__(
        self,
        policy: OffloadPolicy | None = None,
        *,
        host_room: Callable[[], HostRoom] = host_room,
        clock: Callable[[], float] = time.monotonic,
        give_back: Callable[[int], object] = lambda gpu: default_clear_cuda_cache(gpu, None),
    ) -> None:
        self._policy = policy or OffloadPolicy()
        self._ledger = _core.OffloadLedger(*self._policy)
        self._host_room = host_room
        self._clock = clock
        self._give_back = give_back
        self._changed = threading.Condition()  # guards the ledger and everything below
        self._places: dict[int, _Place] = {}
        self._courses: dict[int, Course] = {}
        self._wishes: list[int] = []
        self._returns: dict[int, tuple[Any, ...]] = {}
        self._regions = 0

    # Registering ------------------------------------------------------------------------------------------------

    def add(self, target: Offloadable, *, at_safe_point: bool | None = None) -> OffloadRegistration:
        """Takes an object up, which is on its GPU now.

        Args:
            target: The object; it is kept alive while it is registered.
            at_safe_point: Instead of the object's own.
        """
        waits = target.at_safe_point if at_safe_point is None else at_safe_point
        told = (target.name, target.gpu, target.bytes_on_device(), target.priority, target.last_use)
        with self._changed:
            number = self._ledger.add(*told, waits, self._clock())
            self._places[number] = _Place(target)
        return OffloadRegistration(self, number)

    def objects(self) -> tuple[OffloadStatus, ...]:
        """All objects, the oldest registration first."""
        with self._changed:
            return tuple(_status(self._ledger.entry(number)) for number in self._ledger.all())

    # The rung ---------------------------------------------------------------------------------------------------

    def __call__(self, request: RecoveryRequest) -> StrategyAnswer:
        """The strategy: offloads until `bytes_to_free` are given back by the objects' own sizes, or the time is up.

        Objects that wait for safe points are asked for, and waited for. One that fails is recorded and passed over.

        Args:
            request: As the ladder gives it.

        Returns:
            Whether as much was given back, what was done, and all candidates.
        """
        course = Course(request.bytes_to_free)
        with self._changed:
            if request.gpu in self._courses:
                return StrategyAnswer(False, f"GPU {request.gpu} is being offloaded from already")
            self._courses[request.gpu] = course
            self._returns.pop(request.gpu, None)
        try:
            self._run(request, course)
        finally:
            self._leave(request.gpu, course)
        return course.answer()

    def safe_point(self) -> list[OffloadMove]:
        """Here nothing uses the objects that wait for safe points: moves those that are asked for, on this thread.

        Costs less than a microsecond when there is nothing to do.

        Returns:
            What was moved, or could not be.
        """
        moves: list[OffloadMove] = []
        if not self._wishes and not self._returns:
            return moves
        while (number := self._take_wish()) is not None:
            moves.append(self._move_to_host(number))
        while (number := self._take_return()) is not None:
            moves.append(self._move_to_device(number))
        return moves

    @contextmanager
    def safe_region(self) -> Iterator[None]:
        """While the block runs, nothing uses the objects that wait for safe points: the rung may move them itself.

        For blocks that wait, such as for the next request. Its end waits for moves that are under way.
        """
        with self._changed:
            self._regions += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._regions -= 1
                self._changed.wait_for(lambda: not self._deferred_ones_move())

    # Coming back ------------------------------------------------------------------------------------------------

    def attach(self, monitor: MemoryMonitor) -> Subscription:
        """Brings back what fits again, on a thread of its own that looks at each snapshot of a monitor.

        After a fork it has to be attached again.

        Args:
            monitor: Running or not.

        Returns:
            Its `cancel()` ends it; it does not wait. It ends with the monitor or the offloader, too.
        """
        return _offload_follower.follow(monitor, self)

    def on_snapshot(self, snapshot: Snapshot, t: float | None = None) -> list[OffloadMove]:
        """Brings at most one object a GPU back if the snapshot allows it, on this thread; for loops of your own.

        Args:
            snapshot: A new one; simulated and replayed ones move nothing.
            t: Now, in seconds on the monitor's clock; left out: the snapshot is from this moment.

        Returns:
            What was moved, or could not be.
        """
        offset = self._clock() - (snapshot.t if t is None else t)
        moves = (self._on_device(device, offset) for device in snapshot.devices if device.status == "ok")
        return [move for move in moves if move is not None]

    # Inside -----------------------------------------------------------------------------------------------------

    def _run(self, request: RecoveryRequest, course: Course) -> None:
        deadline = time.monotonic() + request.time_left
        while not request.stop_requested() and time.monotonic() < deadline:
            if not self._advance(request.gpu, course, deadline):
                return
        course.obstacle = "the time was up"

    def _leave(self, gpu: int, course: Course) -> None:
        with self._changed:
            del self._courses[gpu]
            for number in self._forget_wishes(gpu):
                course.on_failed(number, self._ledger.entry(number)[0], "no safe point came in time")

    def _advance(self, gpu: int, course: Course, deadline: float) -> bool:
        """One object further, or one wait; False: there is nothing more to do."""
        room = self._host_room()
        if room.bytes is None:
            course.obstacle = f"what the host has left is not known: {room.text}"
            return False
        above = max(0, room.bytes - self._policy.host_reserve)
        self._ask_objects(gpu)
        with self._changed:
            if course.left == 0:
                return False
            number = self._choose(gpu, course, HostRoom(above, room.text))
            if number is None and not self._is_under_way(gpu):
                return False
            if number is None:
                self._changed.wait(min(_PATIENCE_S, max(0.0, deadline - time.monotonic())))
        if number is not None:
            self._move_to_host(number)
        return True

    def _ask_objects(self, gpu: int) -> None:
        with self._changed:
            targets = [(number, self._places[number].target) for number in self._ledger.on_gpu(gpu)]
        for number, target in targets:
            try:
                told = (target.name, target.bytes_on_device(), target.priority, target.last_use)
            except Exception as error:  # one object's failure is not the others'
                with self._changed:
                    self._ledger.refuse(number, _threads.describe(error))
                continue
            with self._changed:
                self._ledger.describe(number, *told)

    def _choose(self, gpu: int, course: Course, room: HostRoom) -> int | None:
        """The next that may be moved on this thread; the others of the choice are wished for."""
        self._forget_wishes(gpu)  # the choice is made anew
        left = max(0, course.left - self._ledger.leaving(gpu))
        if left == 0:
            return None
        chosen, ranked, candidates, short = self._ledger.choose(gpu, left, room.bytes, course.failed, self._clock())
        course.on_choice(ranked, candidates)
        if short and not chosen:
            above = _core.format_bytes(room.bytes)
            course.obstacle = f"the host has no room for more: {above} above the reserve, by {room.text}"
        following = None
        for number in chosen:
            if self._waits(number):
                self._wishes.append(number)
            elif following is None and self._ledger.begin_offload(number):
                following = number
        return following

    def _waits(self, number: int) -> bool:
        return self._regions == 0 and bool(self._ledger.entry(number)[4])

    def _forget_wishes(self, gpu: int) -> list[int]:
        forgotten = [number for number in self._wishes if self._ledger.entry(number)[1] == gpu]
        self._wishes = [number for number in self._wishes if number not in forgotten]
        return forgotten

    def _is_under_way(self, gpu: int) -> bool:
        wished = any(self._ledger.entry(number)[1] == gpu for number in self._wishes)
        return wished or self._ledger.leaving(gpu) > 0

    def _deferred_ones_move(self) -> bool:
        entries = (self._ledger.entry(number) for number in self._ledger.all())
        return any(entry[4] and entry[5] in ("leaving", "returning") for entry in entries)

    def _take_wish(self) -> int | None:
        with self._changed:
            while self._wishes:
                number = self._wishes.pop(0)
                if self._ledger.begin_offload(number):
                    return number
        return None

    def _take_return(self) -> int | None:
        """The state is looked at again: it may have grown old since."""
        with self._changed:
            while self._returns:
                state = self._returns.popitem()[1]
                number, _ = self._ledger.next_restore(*state, self._clock())
                if number is not None and self._ledger.begin_restore(number):
                    return int(number)
        return None

    def _on_device(self, device: DeviceSnapshot, offset: float) -> OffloadMove | None:
        state = _state(device, offset)
        with self._changed:
            self._returns.pop(device.gpu, None)
            if device.gpu in self._courses:
                return None
            number, _ = self._ledger.next_restore(*state, self._clock())
            if number is not None and self._waits(number):
                self._returns[device.gpu] = state
                return None
            if number is None or not self._ledger.begin_restore(number):
                return None
        return self._move_to_device(number)

    def _move_to_host(self, number: int) -> OffloadMove:
        def leave(target: Offloadable) -> None:
            target.offload()
            self._give_back(target.gpu)

        move, error = self._move(number, "to_host", leave)
        still_there = _bytes_of(self._places.get(number)) if error is None else 0
        with self._changed:
            course = self._courses.get(move.gpu)
            if error is None:
                self._ledger.end_offload(number, self._clock())
                if course:
                    course.on_offloaded(number, move.name, max(0, move.bytes - still_there))
            else:
                self._ledger.fail_offload(number, str(move.problem))
                if course:
                    course.on_failed(number, move.name, str(move.problem))
            self._end_move(number)
        return _unless_it_ends_the_program(move, error)

    def _move_to_device(self, number: int) -> OffloadMove:
        move, error = self._move(number, "to_device", lambda target: target.restore())
        self._note_restore(number, move)
        return _unless_it_ends_the_program(move, error)

    def _note_restore(self, number: int, move: OffloadMove) -> None:
        with self._changed:
            if move.problem is None:
                self._ledger.end_restore(number, self._clock())
            else:
                self._ledger.fail_restore(number, move.problem, self._clock())
            self._end_move(number)

    def _move(
        self, number: int, direction: str, run: Callable[[Offloadable], None]
    ) -> tuple[OffloadMove, BaseException | None]:
        """Runs the object's code, without the lock; what it raises is a problem."""
        with self._changed:
            name, gpu, size, *_ = self._ledger.entry(number)
            place = self._places[number]
            place.mover = threading.get_ident()
        try:
            run(place.target)
        except BaseException as error:  # recorded; what ends the program is raised again when that is done
            return OffloadMove(name, gpu, size, direction, _threads.describe(error)), error
        return OffloadMove(name, gpu, size, direction, None), None

    def _end_move(self, number: int) -> None:
        if number in self._places:
            self._places[number].mover = None
        self._changed.notify_all()

    def _remove(self, number: int) -> None:
        def is_free() -> bool:
            return self._places[number].mover in (None, threading.get_ident())

        with self._changed:
            if number in self._wishes:
                self._wishes.remove(number)
            self._changed.wait_for(is_free)
            del self._places[number]
            if number in self._wishes:
                self._wishes.remove(number)
            self._ledger.remove(number)
            self._changed.notify_all()

    def _status(self, number: int) -> OffloadStatus | None:
        with self._changed:
            entry = self._ledger.entry(number)
        return None if entry is None else _status(entry)

    def _begin_use(self, number: int) -> None:
        with self._changed:
            self._ledger.begin_use(number)
            while (entry := self._ledger.entry(number)) and entry[5] != "on_device":
                if self._ledger.begin_restore(number):
                    break
                self._changed.wait()
            if entry is None:
                raise LookupError("it is not registered any more")
            if entry[5] == "on_device":
                return
        move, error = self._move(number, "to_device", lambda target: target.restore())
        self._note_restore(number, move)
        if error is not None:
            self._end_use(number)
            raise error

    def _end_use(self, number: int) -> None:
        with self._changed:
            self._ledger.end_use(number, self._clock())


_PATIENCE_S = 0.05  # between two looks at whether a stop was requested


def _status(entry: tuple[Any, ...]) -> OffloadStatus:
    *known, problem = entry
    return OffloadStatus(*known, problem or None)


def _bytes_of(place: _Place | None) -> int:
    """What an object that was moved still holds; if it cannot say, nothing: the driver's count decides in the end."""
    try:
        return place.target.bytes_on_device() if place else 0
    except Exception:
        return 0


def _unless_it_ends_the_program(move: OffloadMove, error: BaseException | None) -> OffloadMove:
    if error is not None and not isinstance(error, Exception):
        raise error
    return move


def _state(device: DeviceSnapshot, offset: float) -> tuple[Any, ...]:
    """What the ledger wants to know of a device, on the offloader's clock."""
    reading, forecast, memory = device.reading, device.forecast, device.reading.memory
    return (
        device.gpu,
        reading.t + offset,
        reading.provenance == "driver",
        memory.occupied if memory else 0,
        memory.total if memory else None,
        device.level is AlertLevel.NORMAL,
        None if forecast is None else (forecast.expected_used, forecast.risk),
    )
