// Keeps forecasts until they come due, and compares them with what happened.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "dualgpuopt/memory/metrics/forecast.h"
#include "dualgpuopt/memory/metrics/forecast_accuracy.h"

namespace dualgpuopt::memory {

/// The ledger of one device. It takes a forecast in at most every kEach-th of a horizon, and judges it when two
/// horizons have passed; so it is kept small, and the state never grows. Constant time. Not thread-safe: one owner.
///
/// An exhaustion is the first sample at or above the capacity; then nothing is taken in until use falls under
/// kRearmedShare of it. Without a known capacity only the expected use is compared. A forecast that came due more than
/// half a horizon from any sample is counted as unknown. When the capacity or the horizon changes, what is open is
/// dropped.
class ForecastLedger {
 public:
  static constexpr std::size_t kEach = 15;
  static constexpr double kRearmedShare = 0.9;
  static constexpr double kLeastLeadSeconds = 5;

  /// A sample, and the forecast that was made of it. A time that is not after the last one is ignored.
  void add(MonoTime time, Bytes used, std::optional<Bytes> capacity, const Forecast& forecast);

  [[nodiscard]] const ForecastAccuracy& accuracy() const { return accuracy_; }
  /// Forgets what is open and what was counted.
  void reset() { *this = ForecastLedger(); }

 private:
  struct Entry {
    MonoTime made;
    Bytes low = 0;
    Bytes high = 0;
    std::optional<double> risk;
    bool is_alarm = false;
    std::optional<MonoTime> exhausted;     // first, after it was made
    std::optional<Bytes> used_at_horizon;  // by the first sample from there on that is not too late
    bool passed_horizon = false;
  };
  static constexpr std::size_t kMost = 2 * kEach + 2;

  [[nodiscard]] Entry& entry(std::size_t i) { return entries_[(first_ + i) % kMost]; }
  void note_exhaustion(MonoTime time);
  void note_use(MonoTime time, Bytes used);
  void judge_due(MonoTime time);
  void judge(const Entry& entry);
  void count(double risk, bool happened);
  void take_in(MonoTime time, const Forecast& forecast);

  std::array<Entry, kMost> entries_{};
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  Duration horizon_{};
  std::optional<Bytes> capacity_;
  std::optional<MonoTime> last_;
  bool is_armed_ = true;
  ForecastAccuracy accuracy_;
};

}  // namespace dualgpuopt::memory
