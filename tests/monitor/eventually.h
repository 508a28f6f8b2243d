// Waiting for what other threads bring about.
#pragma once

#include <chrono>
#include <thread>

namespace dualgpuopt::memory {

/// Looks until the condition holds, for half a minute at most: a machine may be slow, a test is not to hang.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace dualgpuopt::memory
