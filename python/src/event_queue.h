// What happened, waiting for a Python thread to tell it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <variant>
#include <vector>

#include "dualgpuopt/memory/alerts/memory_alert.h"
#include "dualgpuopt/memory/metrics/decision.h"

namespace dualgpuopt::memory::python {

using Event = std::variant<MemoryAlert, Decision>;

/// Keeps alerts and decisions in their order until they are taken. A repeated alert takes the place of a waiting repeat
/// of the same device and level, so that a reader that is slow finds news and not a backlog; nothing else is left out.
/// Thread-safe.
class EventQueue {
 public:
  void push(Event event);
  /// All that waits, as soon as there is something; empty when the time is over or the queue is closed.
  [[nodiscard]] std::vector<Event> take(std::chrono::nanoseconds timeout);
  void close();

 private:
  std::mutex mutex_;
  std::condition_variable pushed_;
  std::deque<Event> events_;
  bool closed_ = false;
};

}  // namespace dualgpuopt::memory::python
