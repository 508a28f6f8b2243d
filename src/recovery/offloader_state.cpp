#include "recovery/offloader_state.h"

#include <algorithm>
#include <utility>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

using Direction = OffloadMove::Direction;

constexpr Duration kLongestWait = std::chrono::hours(24);

OffloadTraits traits_of(const Offloadable& object) {
  return {object.name(), object.gpu(), object.bytes_on_device(), object.priority(), object.last_use()};
}

}  // namespace

// Registering -----------------------------------------------------------------------------------------

OffloadId OffloaderState::add(Offloadable& object, OffloadTiming timing) {
  auto traits = traits_of(object);
  const auto now = clock_->now();
  OffloadId id = 0;
  {
    const MutexLock lock(mutex_);
    id = ledger_.add(std::move(traits), timing, now);
  }
  roster_.add(id, object);
  return id;
}

void OffloaderState::remove(OffloadId id) {
  roster_.remove(id);
  const MutexLock lock(mutex_);
  std::erase(wishes_, id);
  ledger_.remove(id);
  changed_.notify_all();
}

// The rung --------------------------------------------------------------------------------------------

StrategyAnswer OffloaderState::offload(const RecoveryRequest& request) {
  OffloadCourse course(request.bytes_to_free);
  if (!enter(request, course)) return {false, format_text("GPU {} is being offloaded from already", request.gpu)};
  const auto time_left = std::clamp(request.deadline - clock_->now(), Duration::zero(), kLongestWait);
  const auto deadline = std::chrono::steady_clock::now() + time_left;
  const std::stop_callback wake(request.stop, [this] {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  });
  {
    struct Leave {
      OffloaderState& state;
      int gpu;
      ~Leave() { state.leave(gpu); }
    } const leave_however_it_ends{*this, request.gpu};
    auto step = Step::Moved;
    while (step != Step::Over && !request.stop.stop_requested() && std::chrono::steady_clock::now() < deadline) {
      step = advance(request, course, deadline);
    }
    if (step != Step::Over) course.on_obstacle("the time was up");
  }
  return course.answer();
}

bool OffloaderState::enter(const RecoveryRequest& request, OffloadCourse& course) {
  const MutexLock lock(mutex_);
  returns_.erase(request.gpu);
  return courses_.try_emplace(request.gpu, Course{&course, request.stop}).second;
}

/// Takes the wishes that nobody carried out back.
void OffloaderState::leave(int gpu) {
  const MutexLock lock(mutex_);
  auto* course = courses_[gpu].account;
  courses_.erase(gpu);
  for (const auto id : forget_wishes(gpu)) {
    course->on_failed(id, ledger_.find(id)->traits.name, "no safe point came in time");
  }
}

std::vector<OffloadId> OffloaderState::forget_wishes(int gpu) {
  std::vector<OffloadId> forgotten;
  for (const auto id : ledger_.on_gpu(gpu)) {
    if (std::erase(wishes_, id) > 0) forgotten.push_back(id);
  }
  return forgotten;
}

OffloaderState::Step OffloaderState::advance(const RecoveryRequest& request, OffloadCourse& course,
                                             SteadyTime deadline) {
  const auto room = room_above_reserve(course);
  if (!room) return Step::Over;
  ask_objects(request.gpu);
  std::optional<OffloadId> next;
  {
    const MutexLock lock(mutex_);
    if (course.left() == 0) return Step::Over;
    next = choose(request.gpu, course, *room);
    if (!next && !is_under_way(request.gpu)) return Step::Over;
    if (!next && !request.stop.stop_requested()) changed_.wait_until(mutex_, deadline);
  }
  if (!next) return Step::Waited;
  move_to_host(*next);
  return Step::Moved;
}

std::optional<HostRoom> OffloaderState::room_above_reserve(OffloadCourse& course) const {
  auto room = host_room_();
  if (!room) {
    course.on_obstacle(format_text("what the host has left is not known: {}", room.error().describe()));
    return std::nullopt;
  }
  room->bytes -= std::min(room->bytes, reserve_);
  return *room;
}

/// User code: without the lock.
void OffloaderState::ask_objects(int gpu) {
  std::vector<OffloadId> ids;
  {
    const MutexLock lock(mutex_);
    ids = ledger_.on_gpu(gpu);
  }
  for (const auto id : ids) {
    OffloadTraits traits;
    auto asked = roster_.call(id, [&](Offloadable& object) -> Result<void> {
      traits = traits_of(object);
      return {};
    });
    const MutexLock lock(mutex_);
    if (asked) {
      ledger_.describe(id, std::move(traits));
    } else {
      ledger_.refuse(id, asked.error().describe());
    }
  }
}

/// The next that may be moved on this thread; the others of the choice are wished for.
std::optional<OffloadId> OffloaderState::choose(int gpu, OffloadCourse& course, const HostRoom& room) {
  const auto left = course.left() - std::min(ledger_.leaving(gpu), course.left());
  forget_wishes(gpu);  // the choice is made anew
  if (left == 0) return std::nullopt;
  const auto choice = ledger_.choose(gpu, left, room.bytes, course.failed(), clock_->now());
  course.on_choice(choice);
  if (choice.host_is_short && choice.ids.empty()) {
    course.on_obstacle(format_text("the host has no room for more: {} above the reserve, by {}",
                                   format_bytes(room.bytes), room.bound_by));
  }
  std::optional<OffloadId> next;
  for (const auto id : choice.ids) {
    if (is_waiting_for_safe_point(id)) {
      wishes_.push_back(id);
    } else if (!next && ledger_.begin_offload(id)) {
      next = id;
    }
  }
  return next;
}

bool OffloaderState::is_waiting_for_safe_point(OffloadId id) const {
  return ledger_.find(id)->timing == OffloadTiming::AtSafePoint && safe_regions_ == 0;
}

bool OffloaderState::is_under_way(int gpu) const {
  const auto ids = ledger_.on_gpu(gpu);
  const bool is_wished_for =
      std::ranges::any_of(wishes_, [&](auto id) { return std::ranges::find(ids, id) != ids.end(); });
  return is_wished_for || ledger_.leaving(gpu) > 0;
}

// Moving ----------------------------------------------------------------------------------------------

OffloadMove OffloaderState::begin_move(OffloadId id, Direction direction) const {
  const MutexLock lock(mutex_);
  const auto* entry = ledger_.find(id);
  if (entry == nullptr) return {.name = "an object that has gone", .direction = direction};
  return {entry->traits.name, entry->traits.gpu, entry->traits.bytes, direction};
}

OffloadMove OffloaderState::move_to_host(OffloadId id) {
  auto move = begin_move(id, Direction::ToHost);
  std::stop_token stop;
  {
    const MutexLock lock(mutex_);
    if (const auto course = courses_.find(move.gpu); course != courses_.end()) stop = course->second.stop;
  }
  const auto moved = roster_.call(id, [&](Offloadable& object) { return object.offload(stop); });
  if (!moved) move.problem = moved.error().describe();
  const auto still_there = moved ? bytes_left(id) : 0;
  note_offload(id, move, move.bytes - std::min(still_there, move.bytes));
  return move;
}

/// What an object that has left still holds; if it cannot say, nothing: the driver's count decides in the end.
Bytes OffloaderState::bytes_left(OffloadId id) {
  Bytes left = 0;
  (void)roster_.call(id, [&](Offloadable& object) -> Result<void> {
    left = object.bytes_on_device();
    return {};
  });
  return left;
}

void OffloaderState::note_offload(OffloadId id, const OffloadMove& move, Bytes given_back) {
  const auto now = clock_->now();
  const MutexLock lock(mutex_);
  const auto course = courses_.find(move.gpu);
  if (move.problem.empty()) {
    ledger_.end_offload(id, now);
    if (course != courses_.end()) course->second.account->on_offloaded(id, move.name, given_back);
  } else {
    ledger_.fail_offload(id, move.problem);
    if (course != courses_.end()) course->second.account->on_failed(id, move.name, move.problem);
  }
  changed_.notify_all();
}

OffloadMove OffloaderState::move_to_device(OffloadId id) {
  auto move = begin_move(id, Direction::ToDevice);
  const auto moved = roster_.call(id, [](Offloadable& object) { return object.restore(std::stop_token()); });
  if (!moved) move.problem = moved.error().describe();
  note_restore(id, move);
  return move;
}

void OffloaderState::note_restore(OffloadId id, const OffloadMove& move) {
  const auto now = clock_->now();
  const MutexLock lock(mutex_);
  if (move.problem.empty()) {
    ledger_.end_restore(id, now);
  } else {
    ledger_.fail_restore(id, move.problem, now);
  }
  changed_.notify_all();
}

std::optional<OffloadMove> OffloaderState::on_state(const DeviceState& state) {
  std::optional<OffloadId> next;
  {
    const MutexLock lock(mutex_);
    returns_.erase(state.reading.gpu);
    if (courses_.contains(state.reading.gpu)) return std::nullopt;
    next = ledger_.next_restore(state, clock_->now()).id;
    if (next && is_waiting_for_safe_point(*next)) {
      returns_[state.reading.gpu] = state;
      return std::nullopt;
    }
    if (!next || !ledger_.begin_restore(*next)) return std::nullopt;
  }
  return move_to_device(*next);
}

// Safe points -----------------------------------------------------------------------------------------

std::vector<OffloadMove> OffloaderState::safe_point() {
  std::vector<OffloadMove> moves;
  while (const auto id = take_wish()) moves.push_back(move_to_host(*id));
  while (const auto id = take_return()) moves.push_back(move_to_device(*id));
  return moves;
}

std::optional<OffloadId> OffloaderState::take_wish() {
  const MutexLock lock(mutex_);
  while (!wishes_.empty()) {
    const auto id = wishes_.front();
    wishes_.erase(wishes_.begin());
    if (ledger_.begin_offload(id)) return id;
  }
  return std::nullopt;
}

/// The state is looked at again: it may have grown old since.
std::optional<OffloadId> OffloaderState::take_return() {
  const MutexLock lock(mutex_);
  while (!returns_.empty()) {
    const auto state = returns_.extract(returns_.begin()).mapped();
    const auto next = ledger_.next_restore(state, clock_->now()).id;
    if (next && ledger_.begin_restore(*next)) return next;
  }
  return std::nullopt;
}

void OffloaderState::begin_safe_region() {
  const MutexLock lock(mutex_);
  ++safe_regions_;
  changed_.notify_all();
}

bool OffloaderState::deferred_ones_move() const {
  return std::ranges::any_of(ledger_.all(), [this](OffloadId id) DUALGPUOPT_REQUIRES(mutex_) {
    const auto& entry = *ledger_.find(id);
    const bool moves = entry.residence == Residence::Leaving || entry.residence == Residence::Returning;
    return moves && entry.timing == OffloadTiming::AtSafePoint;
  });
}

void OffloaderState::end_safe_region() {
  const MutexLock lock(mutex_);
  --safe_regions_;
  while (deferred_ones_move()) changed_.wait(mutex_);
}

// Using -----------------------------------------------------------------------------------------------

Result<void> OffloaderState::begin_use(OffloadId id) {
  {
    const MutexLock lock(mutex_);
    ledger_.begin_use(id);
    const auto* entry = ledger_.find(id);
    while (entry != nullptr && entry->residence != Residence::OnDevice && !ledger_.begin_restore(id)) {
      changed_.wait(mutex_);
      entry = ledger_.find(id);
    }
    if (entry == nullptr) return fail(ErrorCode::NotFound, "it is not registered any more");
    if (entry->residence == Residence::OnDevice) return {};
  }
  const auto move = move_to_device(id);
  if (move.problem.empty()) return {};
  end_use(id);
  return fail(Error(ErrorCode::Unavailable, move.problem).with_context("restoring " + move.name));
}

void OffloaderState::end_use(OffloadId id) {
  const auto now = clock_->now();
  const MutexLock lock(mutex_);
  ledger_.end_use(id, now);
}

std::vector<OffloadEntry> OffloaderState::objects() const {
  const MutexLock lock(mutex_);
  std::vector<OffloadEntry> entries;
  for (const auto id : ledger_.all()) entries.push_back(*ledger_.find(id));
  return entries;
}

std::optional<OffloadEntry> OffloaderState::find(OffloadId id) const {
  const MutexLock lock(mutex_);
  const auto* entry = ledger_.find(id);
  return entry == nullptr ? std::nullopt : std::optional(*entry);
}

}  // namespace dualgpuopt::memory
