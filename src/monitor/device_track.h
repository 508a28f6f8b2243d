// Everything the monitor keeps of one device: a state machine fed with readings.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "dualgpuopt/memory/alerts/alert_engine.h"
#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/metrics/history.h"
#include "dualgpuopt/memory/monitor/monitor_config.h"
#include "dualgpuopt/memory/monitor/snapshot.h"
#include "dualgpuopt/memory/predictor/forecaster.h"

namespace dualgpuopt::memory {

/// A History that others may look into while the sampler fills it. The sampler never waits for them: what comes while
/// somebody looks is set aside and added with the next sample.
class SharedHistory {
 public:
  void add(MonoTime time, Bytes used);
  [[nodiscard]] std::vector<HistoryPoint> points(HistoryTier tier, MonoTime since) const;
  [[nodiscard]] std::optional<WindowSummary> summary(Duration window, MonoTime now) const;
  [[nodiscard]] std::optional<Bytes> percentile(double percent, Duration window, MonoTime now) const;

 private:
  struct Sample {
    MonoTime time;
    Bytes used = 0;
  };

  mutable Mutex mutex_;
  History history_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::vector<Sample> set_aside_;  // the sampler's own
};

/// One device's history, forecaster, alert engine and last answers. Belongs to the sampler; history() alone may be
/// used by any thread.
class DeviceTrack {
 public:
  DeviceTrack(Device device, Provenance provenance, const MonitorConfig& config);

  /// What a reading changed.
  struct Intake {
    bool fresh = false;  ///< It was good, and newer than the last one.
    std::optional<MemoryAlert> alert;
  };
  [[nodiscard]] Intake take(Reading reading);

  /// Ok, or Stale when the last good reading is older than `stale_after`, or Unavailable with the source's reason.
  [[nodiscard]] DeviceSnapshot snapshot(MonoTime now, Duration stale_after) const;

  /// The source no longer answers for this device: why, until it does again. Empty text takes it back.
  void set_silence(std::string reason) { silence_ = std::move(reason); }

  [[nodiscard]] int gpu() const { return device_->gpu; }
  [[nodiscard]] const std::shared_ptr<const Device>& device() const { return device_; }
  [[nodiscard]] Level level() const { return engine_.level(); }
  [[nodiscard]] const Reading& last_good() const { return last_good_; }
  [[nodiscard]] const std::optional<Forecast>& forecast() const { return forecast_; }
  [[nodiscard]] const SharedHistory& history() const { return history_; }
  /// Whether the process list is due again.
  [[nodiscard]] bool wants_processes(MonoTime now) const;

 private:
  [[nodiscard]] bool is_news(const Reading& reading) const;
  void learn(const Reading& reading);

  const MonitorConfig& config_;
  std::shared_ptr<const Device> device_;
  SharedHistory history_;
  std::unique_ptr<Forecaster> forecaster_;
  AlertEngine engine_;

  Reading last_good_;               // memory is empty before the first
  std::optional<Reading> failure_;  // the last answer, if it was none
  std::string silence_;
  std::optional<Forecast> forecast_;
  std::shared_ptr<const ProcessList> processes_;
  Bytes peak_used_ = 0;
};

}  // namespace dualgpuopt::memory
