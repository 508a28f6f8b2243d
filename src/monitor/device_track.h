// Everything the monitor keeps of one device: a state machine fed with readings.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "dualgpuopt/memory/alerts/alert_engine.h"
#include "dualgpuopt/memory/monitor/monitor_config.h"
#include "dualgpuopt/memory/monitor/snapshot.h"
#include "dualgpuopt/memory/predictor/forecast_ledger.h"
#include "dualgpuopt/memory/predictor/forecaster.h"
#include "dualgpuopt/memory/predictor/leak_detector.h"
#include "dualgpuopt/memory/predictor/rise_log.h"
#include "monitor/shared_history.h"

namespace dualgpuopt::memory {

/// One device's history, forecaster, alert engine and last answers. Belongs to the sampler; what history() gives may be
/// used by any thread. A partitioned GPU is read and shown, but neither forecast nor judged: its instances are.
class DeviceTrack {
 public:
  DeviceTrack(Device device, Provenance provenance, const MonitorConfig& config);

  /// What a reading changed.
  struct Intake {
    bool fresh = false;  ///< It was good, and newer than the last one.
    std::optional<MemoryAlert> alert;
  };
  /// `recovery_time`: how long a climb takes by now, for adaptive thresholds.
  [[nodiscard]] Intake take(Reading reading, Duration recovery_time);

  /// Ok, or Stale when the last good reading is older than `stale_after`, or Unavailable with the source's reason.
  [[nodiscard]] DeviceSnapshot snapshot(MonoTime now, Duration stale_after) const;

  /// The source describes the device otherwise than before.
  void describe(Device device);
  /// The source no longer answers for this device: why, until it does again. Empty text takes it back.
  void set_silence(std::string reason) { silence_ = std::move(reason); }

  [[nodiscard]] int gpu() const { return device_->gpu; }
  [[nodiscard]] const std::shared_ptr<const Device>& device() const { return device_; }
  [[nodiscard]] Level level() const { return engine_.level(); }
  [[nodiscard]] const Reading& last_good() const { return last_good_; }
  /// Occupied by the good reading before the last one; empty if there was none.
  [[nodiscard]] std::optional<Bytes> used_before() const { return used_before_; }
  /// The newest list; null before the first.
  [[nodiscard]] const std::shared_ptr<const ProcessList>& processes() const { return processes_; }
  [[nodiscard]] const std::optional<Forecast>& forecast() const { return forecast_; }
  [[nodiscard]] const std::shared_ptr<SharedHistory>& history() const { return history_; }
  /// Whether the last answer was none.
  [[nodiscard]] bool has_failed() const { return failure_.has_value(); }
  /// Whether the process list is due again.
  [[nodiscard]] bool wants_processes(MonoTime now) const;

 private:
  [[nodiscard]] bool is_news(const Reading& reading) const;
  [[nodiscard]] bool is_judged() const { return device_->kind != DeviceKind::Partitioned; }
  void learn(const Reading& reading);
  void adapt_thresholds(const Reading& reading, Duration recovery_time);
  [[nodiscard]] std::vector<Leak> leaks() const;
  void keep_events(const std::vector<DeviceEvent>& events);
  [[nodiscard]] std::optional<MemoryAlert> judge(const Reading& reading);

  const MonitorConfig& config_;
  std::shared_ptr<const Device> device_;
  std::shared_ptr<SharedHistory> history_ = std::make_shared<SharedHistory>();
  std::unique_ptr<Forecaster> forecaster_;
  AlertEngine engine_;

  Reading last_good_;  // memory is empty before the first
  std::optional<Bytes> used_before_;
  std::optional<Reading> failure_;  // the last answer, if it was none
  std::string silence_;
  std::optional<Forecast> forecast_;
  ForecastLedger ledger_;
  LeakDetector leak_;
  ProcessLeakDetector process_leaks_;
  std::array<RiseLog, 3> rises_;  // within the reaction times of warning, critical and emergency
  std::vector<LearnedThreshold> learned_;
  std::shared_ptr<const ProcessList> processes_;
  std::deque<DeviceEvent> events_;  // the newest, oldest first
  Bytes peak_used_ = 0;
};

}  // namespace dualgpuopt::memory
