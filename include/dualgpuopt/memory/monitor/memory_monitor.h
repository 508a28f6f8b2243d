// The monitor: one loop that reads, remembers, forecasts, alerts and recovers.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/alerts/dispatcher.h"
#include "dualgpuopt/memory/metrics/history.h"
#include "dualgpuopt/memory/metrics/memory_port.h"
#include "dualgpuopt/memory/monitor/monitor_config.h"
#include "dualgpuopt/memory/monitor/snapshot_board.h"
#include "dualgpuopt/memory/recovery/strategy.h"
#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory {

/// What one step() did.
struct StepReport {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<int> fresh;  ///< Devices with a new good reading, in the order of enumeration.
  std::vector<MemoryAlert> alerts;
  std::vector<Decision> decisions;
};

using DecisionCallback = std::function<void(const Decision&)>;

/// Watches every device of one source. Either start() it, and it samples on a thread of its own until stop(), or call
/// step() yourself, on a virtual clock if you like. All functions are thread-safe unless they say otherwise.
///
/// Callbacks never run on the sampling thread: a slow one delays no reading. They may call anything here, stop() and
/// the destructor's own stop included. stop() does not wait for user code that is running; the monitor must not be
/// destroyed from within one of its own callbacks.
///
///     auto clock = std::make_shared<SystemClock>();
///     auto source = make_source("auto", *clock);
///     auto monitor = MemoryMonitor::create(std::move(*source), clock);
///     auto subscription = (*monitor)->subscribe(Level::Warning, LevelFilter::AtOrAbove,
///                                               [](const MemoryAlert& alert) { std::puts(alert.text().c_str()); });
///     (*monitor)->start();
class MemoryMonitor {
 public:
  /// Enumerates the devices. Errors: those of MonitorConfig::validate() and of the source's enumerate(); NotFound if
  /// there is no device. Source and clock live on, beyond the monitor, in a driver call that never returns.
  [[nodiscard]] static Result<std::unique_ptr<MemoryMonitor>> create(std::unique_ptr<MemorySource> source,
                                                                     std::shared_ptr<Clock> clock,
                                                                     MonitorConfig config = {});
  /// stop().
  ~MemoryMonitor();
  MemoryMonitor(const MemoryMonitor&) = delete;
  MemoryMonitor& operator=(const MemoryMonitor&) = delete;

  /// Begins sampling; nothing happens if it runs already.
  void start();
  /// Ends sampling and any climb; returns within 100 ms when no driver call hangs, and within 2 s in any case.
  /// Nothing happens if it does not run. It may be started again.
  void stop();
  [[nodiscard]] bool running() const;
  /// Stops, and closes what is open at the driver, so that a GPU can be reset, repartitioned or unbound: open handles
  /// forbid that. start() opens it again. Error (Unavailable): a call hangs and keeps the driver open.
  [[nodiscard]] Result<void> release_driver();

  /// One round, read, judged and dispatched on the calling thread: for tests and replay. Not while running, and from
  /// one thread at a time. The report is good until the next step.
  const StepReport& step();

  /// In the order of their index. New ones appear while it runs; one that goes stays, and cannot be read.
  [[nodiscard]] std::vector<Device> devices() const;
  [[nodiscard]] Provenance provenance() const;
  [[nodiscard]] std::string_view source_name() const;
  [[nodiscard]] const MonitorConfig& config() const;

  /// The newest snapshot; sequence 0 before the first.
  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const;
  /// For a thread that looks often.
  [[nodiscard]] SnapshotReader reader() const;
  /// Waits until there is a snapshot with a higher sequence, at most `timeout`; returns the newest either way.
  [[nodiscard]] std::shared_ptr<const Snapshot> wait_for_snapshot(std::uint64_t after_sequence, Duration timeout) const;

  /// Alerts, on the dispatcher's thread (in step(): on the calling one).
  [[nodiscard]] Subscription subscribe(Level level, LevelFilter filter, AlertCallback callback);
  /// Decisions, when a climb has ended; threads as with alerts.
  [[nodiscard]] Subscription subscribe_decisions(DecisionCallback callback);
  /// The last decisions, oldest first (DecisionLog).
  [[nodiscard]] std::vector<Decision> recent_decisions() const;
  /// What can be done to free memory; one a strategy, the last registered wins. Run for driver sources only.
  void register_strategy(RecoveryStrategy strategy, RecoveryCallback callback);

  /// From now on process lists are read at least this often, and memory with them, however the configured pace adapts:
  /// for whoever judges by them. A list costs the driver milliseconds; Duration::max() takes it back.
  void set_process_interval(Duration interval);
  /// After a victim of the built-in Terminate rung kept its memory nothing more is ended on that device. This allows it
  /// again, once somebody has looked.
  void unlock_terminate(int gpu);

  /// Fresh measurements while it runs, and in callbacks of step(); unavailable otherwise. May be kept beyond the
  /// monitor.
  [[nodiscard]] std::shared_ptr<MemoryPort> port() const;

  /// The past of a device; empty for an unknown one.
  [[nodiscard]] std::vector<HistoryPoint> history(int gpu, HistoryTier tier, MonoTime since = MonoTime::min()) const;
  [[nodiscard]] std::optional<WindowSummary> summary(int gpu, Duration window) const;

 private:
  class Impl;
  explicit MemoryMonitor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dualgpuopt::memory
