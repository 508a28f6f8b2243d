// Something to hang on until the test lets go.
#pragma once

#include <memory>

#include "dualgpuopt/memory/core/mutex.h"

namespace dualgpuopt::memory::testing {

class Gate {
 public:
  void open() {
    const MutexLock lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }

  void wait() {
    const MutexLock lock(mutex_);
    while (!open_) opened_.wait(mutex_);
  }

 private:
  Mutex mutex_;
  Condition opened_;
  bool open_ DUALGPUOPT_GUARDED_BY(mutex_) = false;
};

/// Shared, because an abandoned thread may be the last to hold it.
using SharedGate = std::shared_ptr<Gate>;
inline SharedGate make_gate() { return std::make_shared<Gate>(); }

/// Opens the gate when the test ends, even by a failed assertion.
class OpenAtEnd {
 public:
  explicit OpenAtEnd(SharedGate gate) : gate_(std::move(gate)) {}
  ~OpenAtEnd() { gate_->open(); }
  OpenAtEnd(const OpenAtEnd&) = delete;
  OpenAtEnd& operator=(const OpenAtEnd&) = delete;

 private:
  SharedGate gate_;
};

}  // namespace dualgpuopt::memory::testing
