// Questions to a driver that may never be answered, each on a thread that can be left behind.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/mutex.h"

namespace dualgpuopt::memory {

/// Runs one look-up after another. One that takes longer than `patience`, by the machine's own clock, is left behind
/// with its thread, and what it was about is not asked again until it has come back: so at most one thread is lost to
/// each thing that is looked up. Thread-safe.
template <typename Answer>
class PatientLookups {
 public:
  explicit PatientLookups(Duration patience) : patience_(patience) {}

  [[nodiscard]] Duration patience() const { return patience_; }

  /// What `look_up` gives; empty if it has not come back, now or from an earlier call with the same key. It runs on
  /// another thread and must own all it needs.
  [[nodiscard]] std::optional<Answer> run(unsigned key, std::function<Answer()> look_up) {
    if (is_hanging(key)) return std::nullopt;
    std::promise<Answer> promise;
    auto answer = promise.get_future();
    std::thread([look_up = std::move(look_up), promise = std::move(promise)]() mutable {
      auto found = look_up();
      look_up = nullptr;  // lets go of what it owns before anybody hears of the answer
      promise.set_value(std::move(found));
    }).detach();
    if (answer.wait_for(patience_) == std::future_status::ready) return answer.get();
    const MutexLock lock(mutex_);
    hanging_.insert_or_assign(key, std::move(answer));
    return std::nullopt;
  }

 private:
  /// Forgets a call that has come back: what it says is old.
  bool is_hanging(unsigned key) {
    const MutexLock lock(mutex_);
    const auto found = hanging_.find(key);
    if (found == hanging_.end()) return false;
    if (found->second.wait_for(Duration::zero()) != std::future_status::ready) return true;
    hanging_.erase(found);
    return false;
  }

  const Duration patience_;
  Mutex mutex_;
  std::map<unsigned, std::future<Answer>> hanging_ DUALGPUOPT_GUARDED_BY(mutex_);
};

}  // namespace dualgpuopt::memory
