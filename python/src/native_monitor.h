// The core's monitor as the Python package holds it.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dualgpuopt/memory/monitor/memory_monitor.h"
#include "event_queue.h"
#include "exchange.h"

namespace dualgpuopt::memory::python {

/// One monitor with the queues that join it to Python. Every method may be called from any Python thread, with the GIL,
/// and gives it up while it waits. Errors of the core are thrown as std::runtime_error, wrong arguments as
/// std::invalid_argument.
class NativeMonitor {
 public:
  /// What both sides share; it lives until the last call that is under way has ended.
  struct Shared;

  /// `source` as --source, or "sim:" and the text of a scenario, or the name of a Python source (with its provenance),
  /// which then answers the questions of `sources`. `configuration` is TOML. Waits for the driver at most `patience_s`.
  NativeMonitor(std::string source, const std::string& python_provenance, const std::string& configuration, bool wake,
                double patience_s, std::shared_ptr<Exchange> sources);
  ~NativeMonitor();
  NativeMonitor(const NativeMonitor&) = delete;
  NativeMonitor& operator=(const NativeMonitor&) = delete;

  void start();
  void stop();
  [[nodiscard]] bool running() const;
  [[nodiscard]] bool closed() const { return !shared_; }
  /// Stops for good: everybody who waits comes back, and no question is asked any more. Idempotent.
  void close();
  /// In a forked child the core's threads are gone: forget everything, and destroy nothing.
  void abandon();
  void release_driver();

  /// A round of readings now, or the next snapshot if it runs; at most `timeout_s`.
  void refresh(double timeout_s);
  /// The newest snapshot's sequence, once it is above `after`, or the time is over, or it was closed.
  [[nodiscard]] std::uint64_t wait(std::uint64_t after, double timeout_s);
  /// When the next `count` good readings of a device were made, on the monitor's clock; fewer if the time is over. For
  /// measuring its pace.
  [[nodiscard]] std::vector<double> sampling_times(int gpu, std::size_t count, double timeout_s);
  /// One step on this thread, as MemoryMonitor::step() says.
  void step();
  /// The newest snapshot; the reference is good until the next call, under the GIL.
  [[nodiscard]] const Snapshot& snapshot();
  /// Seconds on the monitor's clock, on which its readings are stamped.
  [[nodiscard]] double now() const;

  [[nodiscard]] const MemoryMonitor& monitor() const;
  [[nodiscard]] std::vector<Event> take_events(double timeout_s);
  /// The strategy's requests come as questions of recoveries().
  void register_strategy(const std::string& strategy);
  [[nodiscard]] std::shared_ptr<Exchange> recoveries() const;

 private:
  [[nodiscard]] std::shared_ptr<Shared> shared() const;
  std::shared_ptr<Shared> shared_;
};

}  // namespace dualgpuopt::memory::python
