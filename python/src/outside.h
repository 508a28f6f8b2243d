// Leaving Python while a call waits, so that the interpreter's other threads go on.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>

namespace dualgpuopt::memory::python {

/// Gives up the GIL for as long as it lives. Counts who is outside: at the interpreter's end a thread that comes back
/// too late would be torn off in the middle of its C++ frames, so the end waits until nobody is.
class Outside {
 public:
  Outside() { count().fetch_add(1, std::memory_order_acq_rel); }
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

  static std::atomic<int>& count() {
    static std::atomic<int> outside{0};
    return outside;
  }

 private:
  struct Leaving {
    ~Leaving() { count().fetch_sub(1, std::memory_order_acq_rel); }
  };
  Leaving leaving_;  // destroyed last: counted until the GIL is back
  nanobind::gil_scoped_release released_;
};

}  // namespace dualgpuopt::memory::python
