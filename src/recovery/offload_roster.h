// The registered objects, called without a lock, and not let go while somebody is inside one.
#pragma once

#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/recovery/offload_choice.h"
#include "dualgpuopt/memory/recovery/offloadable.h"

namespace dualgpuopt::memory {

/// Thread-safe.
class OffloadRoster {
 public:
  void add(OffloadId id, Offloadable& object);
  /// No call begins any more; waits for those that run on other threads.
  void remove(OffloadId id);
  /// Calls `use` with the object, without a lock. NotFound when it is not registered; what `use` throws is an error
  /// (Unavailable) with its text.
  [[nodiscard]] Result<void> call(OffloadId id, const std::function<Result<void>(Offloadable&)>& use);

 private:
  struct Place {
    Offloadable* object = nullptr;
    std::vector<std::thread::id> inside;
  };
  [[nodiscard]] Offloadable* enter(OffloadId id);
  void leave(OffloadId id);
  [[nodiscard]] bool others_are_inside(OffloadId id) const DUALGPUOPT_REQUIRES(mutex_);

  Mutex mutex_;
  Condition left_;
  std::map<OffloadId, Place> places_ DUALGPUOPT_GUARDED_BY(mutex_);
};

}  // namespace dualgpuopt::memory
