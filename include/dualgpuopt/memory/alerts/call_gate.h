// Ends the calls of one callback safely while other threads may be making them.
#pragma once

#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "dualgpuopt/memory/core/mutex.h"

namespace dualgpuopt::memory {

/// Every call of a callback passes through its gate; once the gate is closed no call begins any more. Thread-safe. No
/// lock is held while a call or the release runs.
class CallGate {
 public:
  /// `release` destroys what is only needed by calls. It runs once, after close() and the last call: in close() itself
  /// when nothing runs, else at the end of that call. It must not throw.
  explicit CallGate(std::function<void()> release) : release_(std::move(release)) {}
  CallGate(const CallGate&) = delete;
  CallGate& operator=(const CallGate&) = delete;

  /// The right to make one call, given back when it is destroyed, on the thread that entered.
  class [[nodiscard]] Pass {
   public:
    explicit Pass(CallGate* gate) : gate_(gate) {}
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    ~Pass() {
      if (gate_ != nullptr) gate_->leave();
    }
    /// False when the gate is closed: the call must not be made.
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    CallGate* gate_;
  };

  Pass enter();

  /// Lets nobody in any more. Waits for nobody; closing again is harmless.
  void close();

  /// Waits, after close(), until no call runs and the release is done. Does not wait when this thread is itself within
  /// a call, however deeply: it would wait for itself.
  void wait_for_calls();

 private:
  void leave();
  [[nodiscard]] std::function<void()> leave_or_take_release();
  [[nodiscard]] bool is_within_call() const DUALGPUOPT_REQUIRES(mutex_);

  Mutex mutex_;
  Condition left_;
  bool closed_ DUALGPUOPT_GUARDED_BY(mutex_) = false;
  std::vector<std::thread::id> callers_ DUALGPUOPT_GUARDED_BY(mutex_);  // a thread is in it once for each of its calls
  std::function<void()> release_ DUALGPUOPT_GUARDED_BY(mutex_);
};

}  // namespace dualgpuopt::memory
