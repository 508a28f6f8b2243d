// Leaving Python while a call waits, so that the interpreter's other threads go on.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <optional>
#include <stdexcept>

namespace dualgpuopt::memory::python {

/// What a call does when the interpreter is about to end: most are refused; what must be done is done without leaving.
enum class AtTheEnd { Refuse, StayInside };

/// Gives up the GIL for as long as it lives. At the interpreter's end a thread that comes back too late would be torn
/// off in the middle of its C++ frames: so the end waits until nobody is outside, and from then on nobody leaves.
class Outside {
 public:
  explicit Outside(AtTheEnd at_the_end = AtTheEnd::Refuse) {
    if (!ending()) {
      count().fetch_add(1, std::memory_order_acq_rel);
      left_.emplace();
    } else if (at_the_end == AtTheEnd::Refuse) {
      throw std::runtime_error("the interpreter ends");
    }
  }
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

  static std::atomic<int>& count() {
    static std::atomic<int> outside{0};
    return outside;
  }
  /// Read and written with the GIL.
  static bool& ending() {
    static bool is_ending = false;
    return is_ending;
  }

 private:
  struct Counted {
    ~Counted() { count().fetch_sub(1, std::memory_order_acq_rel); }
  };
  struct Left {
    Counted counted;  // destroyed last: until the GIL is back
    nanobind::gil_scoped_release released;
  };
  std::optional<Left> left_;
};

}  // namespace dualgpuopt::memory::python
