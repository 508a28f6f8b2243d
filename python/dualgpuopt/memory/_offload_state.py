"""The shell around the core's ledger: who moves what when, for `offload.Offloader`. No lock is held in user code."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Callable

from . import _core, _threads
from ._offload_course import Course
from ._offload_values import HostRoom, Offloadable, OffloadMove, OffloadPolicy, OffloadStatus, status_of
from .alerts import AlertLevel
from .recovery import RecoveryRequest, StrategyAnswer

if TYPE_CHECKING:
    from .metrics import DeviceSnapshot

logger = logging.getLogger("dualgpuopt.memory")

_PATIENCE_S = 0.05  # between two looks at whether a stop was requested


class _Place:
    """An object, and the thread that moves it."""

    def __init__(self, target: Offloadable) -> None:
        self.target = target
        self.mover: int | None = None


class OffloaderState:
    def __init__(
        self,
        policy: OffloadPolicy,
        host_room: Callable[[], HostRoom],
        clock: Callable[[], float],
        give_back: Callable[[int], object],
    ) -> None:
        self._reserve = policy.host_reserve
        self._ledger = _core.OffloadLedger(*policy)
        self._host_room = host_room
        self.clock = clock
        self._give_back = give_back
        self._changed = threading.Condition()  # guards the ledger and everything below
        self._places: dict[int, _Place] = {}
        self._courses: dict[int, Course] = {}
        self._wishes: list[int] = []
        self._returns: dict[int, _State] = {}
        self._regions = 0

    # Registering ------------------------------------------------------------------------------------------------

    def add(self, target: Offloadable, at_safe_point: bool) -> int:
        told = (target.name, target.gpu, target.bytes_on_device(), target.priority, target.last_use)
        with self._changed:
            number = self._ledger.add(*told, at_safe_point, self.clock())
            self._places[number] = _Place(target)
        return number

    def objects(self) -> tuple[OffloadStatus, ...]:
        with self._changed:
            return tuple(status_of(self._ledger.entry(number)) for number in self._ledger.all())

    def remove(self, number: int) -> None:
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

    def status(self, number: int) -> OffloadStatus | None:
        with self._changed:
            entry = self._ledger.entry(number)
        return None if entry is None else status_of(entry)

    def begin_use(self, number: int) -> None:
        with self._changed:
            self._ledger.begin_use(number)
            while (entry := self._ledger.entry(number)) and entry[5] != "on_device":
                if self._begins(number, self._ledger.begin_restore):
                    break
                self._changed.wait()
            if entry is None:
                raise LookupError("it is not registered any more")
            if entry[5] == "on_device":
                return
        move, error = self._move(number, "to_device", lambda target: target.restore())
        self._note_restore(number, move)
        if error is not None:
            self.end_use(number)
            raise error

    def end_use(self, number: int) -> None:
        with self._changed:
            self._ledger.end_use(number, self.clock())

    # The rung ---------------------------------------------------------------------------------------------------

    def offload(self, request: RecoveryRequest) -> StrategyAnswer:
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
        moves: list[OffloadMove] = []
        if not self._wishes and not self._returns:
            return moves
        while (number := self._take_wish()) is not None:
            moves.append(self._move_to_host(number))
        while (number := self._take_return()) is not None:
            moves.append(self._move_to_device(number))
        return moves

    def begin_region(self) -> None:
        with self._changed:
            self._regions += 1
            self._changed.notify_all()

    def end_region(self) -> None:
        with self._changed:
            self._regions -= 1
            self._changed.wait_for(lambda: not self._deferred_ones_move())

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
        above = max(0, room.bytes - self._reserve)
        self._ask_objects(gpu)
        with self._changed:
            if course.left == 0:
                return False
            number = self._choose(gpu, course, above, room.text)
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

    def _choose(self, gpu: int, course: Course, room: int, bound: str) -> int | None:
        """The next that may be moved on this thread; the others of the choice are wished for."""
        self._forget_wishes(gpu)  # the choice is made anew
        left = max(0, course.left - self._ledger.leaving(gpu))
        if left == 0:
            return None
        chosen, ranked, candidates, short = self._ledger.choose(gpu, left, room, course.failed, self.clock())
        course.on_choice(ranked, candidates)
        if short and not chosen:
            above = _core.format_bytes(room)
            course.obstacle = f"the host has no room for more: {above} above the reserve, by {bound}"
        following = None
        for number in chosen:
            if self._waits(number):
                self._wishes.append(number)
            elif following is None and self._begins(number, self._ledger.begin_offload):
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
                if self._begins(number, self._ledger.begin_offload):
                    return number
        return None

    def _take_return(self) -> int | None:
        """The state is looked at again: it may have grown old since."""
        with self._changed:
            while self._returns:
                state = self._returns.popitem()[1]
                number, _ = state.ask(self._ledger, self.clock())
                if number is not None and self._begins(number, self._ledger.begin_restore):
                    return int(number)
        return None

    def on_device(self, device: DeviceSnapshot, offset: float) -> OffloadMove | None:
        state = _State(device, offset)
        with self._changed:
            self._returns.pop(device.gpu, None)
            if device.gpu in self._courses:
                return None
            number, _ = state.ask(self._ledger, self.clock())
            if number is not None and self._waits(number):
                self._returns[device.gpu] = state
                return None
            if number is None or not self._begins(number, self._ledger.begin_restore):
                return None
        return self._move_to_device(number)

    def _move_to_host(self, number: int) -> OffloadMove:
        move, error = self._move(number, "to_host", lambda target: target.offload())
        unreturned = self._hand_back(move.gpu) if error is None else None
        still_there = _bytes_of(self._places.get(number)) if error is None else 0
        with self._changed:
            course = self._courses.get(move.gpu)
            if error is None:
                self._ledger.end_offload(number, self.clock())
                if course:
                    course.on_offloaded(number, move.name, max(0, move.bytes - still_there))
            else:
                self._ledger.fail_offload(number, str(move.problem))
                if course:
                    course.on_failed(number, move.name, str(move.problem))
            self._end_move(number)
        return _unless_it_ends_the_program(move, error or unreturned)

    def _hand_back(self, gpu: int) -> BaseException | None:
        """The object has left whatever comes of this; how much the device has back is the driver's count."""
        try:
            self._give_back(gpu)
        except BaseException as error:
            logger.warning("GPU %d: what allocators keep was not given back: %s", gpu, _threads.describe(error))
            return error
        return None

    def _move_to_device(self, number: int) -> OffloadMove:
        move, error = self._move(number, "to_device", lambda target: target.restore())
        self._note_restore(number, move)
        return _unless_it_ends_the_program(move, error)

    def _note_restore(self, number: int, move: OffloadMove) -> None:
        with self._changed:
            if move.problem is None:
                self._ledger.end_restore(number, self.clock())
            else:
                self._ledger.fail_restore(number, move.problem, self.clock())
            self._end_move(number)

    def _move(
        self, number: int, direction: str, run: Callable[[Offloadable], None]
    ) -> tuple[OffloadMove, BaseException | None]:
        """Runs the object's code, without the lock; what it raises is a problem."""
        with self._changed:
            name, gpu, size, *_ = self._ledger.entry(number)
            place = self._places[number]
        try:
            run(place.target)
        except BaseException as error:  # recorded; what ends the program is raised again when that is done
            return OffloadMove(name, gpu, size, direction, _threads.describe(error)), error
        return OffloadMove(name, gpu, size, direction, None), None

    def _begins(self, number: int, begin: Callable[[int], bool]) -> bool:
        """Marks this thread as the mover at once: whoever ends the registration waits for it from now on."""
        may = begin(number)
        if may:
            self._places[number].mover = threading.get_ident()
        return may

    def _end_move(self, number: int) -> None:
        if number in self._places:
            self._places[number].mover = None
        self._changed.notify_all()


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


class _State:
    """What decides about a device, with its time on the offloader's clock."""

    def __init__(self, device: DeviceSnapshot, offset: float) -> None:
        self._device = device
        self._t = device.reading.t + offset

    def ask(self, ledger: _core.OffloadLedger, now: float) -> tuple[int | None, str]:
        reading, memory, forecast = self._device.reading, self._device.reading.memory, self._device.forecast
        if memory is None:
            return None, reading.reason
        return ledger.next_restore(
            self._device.gpu,
            self._t,
            reading.provenance == "driver",
            memory.occupied,
            memory.total,
            self._device.level is AlertLevel.NORMAL,
            None if forecast is None else (forecast.expected_used, forecast.risk),
            now,
        )
