#include "recovery/offload_roster.h"

#include <algorithm>
#include <exception>

namespace dualgpuopt::memory {
namespace {

Result<void> call_guarded(Offloadable& object, const std::function<Result<void>(Offloadable&)>& use) {
  try {
    return use(object);
  } catch (const std::exception& error) {
    return fail(ErrorCode::Unavailable, error.what());
  } catch (...) {
    if (!std::current_exception()) throw;  // pthread_exit() unwinds like an exception, and must not be swallowed
    return fail(ErrorCode::Unavailable, "it threw something that is no std::exception");
  }
}

}  // namespace

void OffloadRoster::add(OffloadId id, Offloadable& object) {
  const MutexLock lock(mutex_);
  places_[id].object = &object;
}

bool OffloadRoster::others_are_inside(OffloadId id) const {
  const auto& inside = places_.at(id).inside;
  return std::ranges::any_of(inside, [](auto thread) { return thread != std::this_thread::get_id(); });
}

void OffloadRoster::remove(OffloadId id) {
  const MutexLock lock(mutex_);
  if (!places_.contains(id)) return;
  places_[id].object = nullptr;
  while (places_.contains(id) && others_are_inside(id)) left_.wait(mutex_);
  if (places_.contains(id) && places_[id].inside.empty()) places_.erase(id);
}

Offloadable* OffloadRoster::enter(OffloadId id) {
  const MutexLock lock(mutex_);
  const auto place = places_.find(id);
  if (place == places_.end() || place->second.object == nullptr) return nullptr;
  place->second.inside.push_back(std::this_thread::get_id());
  return place->second.object;
}

void OffloadRoster::leave(OffloadId id) {
  const MutexLock lock(mutex_);
  auto& place = places_[id];
  place.inside.erase(std::ranges::find(place.inside, std::this_thread::get_id()));
  if (place.object == nullptr && place.inside.empty()) places_.erase(id);
  left_.notify_all();
}

Result<void> OffloadRoster::call(OffloadId id, const std::function<Result<void>(Offloadable&)>& use) {
  auto* object = enter(id);
  if (object == nullptr) return fail(ErrorCode::NotFound, "it is not registered any more");
  struct Leave {
    OffloadRoster& roster;
    OffloadId id;
    ~Leave() { roster.leave(id); }
  } const leave_at_the_end{*this, id};
  return call_guarded(*object, use);
}

}  // namespace dualgpuopt::memory
