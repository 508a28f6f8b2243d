// The largest number for which something holds.
#pragma once

#include <cstdint>

namespace dualgpuopt::memory {

/// The largest value of low..high for which `holds`, which is true up to some point and false after it; low - 1 where
/// it never is.
template <typename Predicate>
std::uint64_t last_that(std::uint64_t low, std::uint64_t high, Predicate holds) {
  while (low <= high) {
    const auto middle = low + (high - low) / 2;
    if (holds(middle)) {
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return low - 1;
}

}  // namespace dualgpuopt::memory
