#include "dualgpuopt/memory/predictor/forecast_ledger.h"

#include <algorithm>

namespace dualgpuopt::memory {

void ForecastLedger::add(MonoTime time, Bytes used, std::optional<Bytes> capacity, const Forecast& forecast) {
  if (last_ && time <= *last_) return;
  if (capacity != capacity_ || forecast.horizon != horizon_) {
    count_ = 0;
    is_armed_ = true;
    capacity_ = capacity;
    horizon_ = forecast.horizon;
  }
  last_ = time;
  if (horizon_ <= Duration::zero()) return;
  note_use(time, used);
  const bool is_full = capacity && used >= *capacity;
  if (is_full && is_armed_) note_exhaustion(time);
  if (is_full) {
    is_armed_ = false;
  } else if (capacity && static_cast<double>(used) < kRearmedShare * static_cast<double>(*capacity)) {
    is_armed_ = true;
  }
  judge_due(time);
  if (is_armed_) take_in(time, forecast);
}

void ForecastLedger::note_exhaustion(MonoTime time) {
  ++accuracy_.exhaustions;
  bool was_foreseen = false;
  for (std::size_t i = 0; i < count_; ++i) {
    auto& open = entry(i);
    const Seconds lead = time - open.made;
    if (!open.exhausted) open.exhausted = time;
    was_foreseen = was_foreseen || (open.is_alarm && lead.count() >= kLeastLeadSeconds && lead <= horizon_);
  }
  if (was_foreseen) ++accuracy_.foreseen;
}

void ForecastLedger::note_use(MonoTime time, Bytes used) {
  for (std::size_t i = 0; i < count_; ++i) {
    auto& open = entry(i);
    const auto late = time - open.made - horizon_;
    if (open.passed_horizon || late < Duration::zero()) continue;
    open.passed_horizon = true;
    if (late <= horizon_ / 2) open.used_at_horizon = used;
  }
}

void ForecastLedger::judge_due(MonoTime time) {
  while (count_ > 0 && time - entry(0).made > 2 * horizon_) {
    judge(entry(0));
    first_ = (first_ + 1) % kMost;
    --count_;
  }
}

void ForecastLedger::judge(const Entry& entry) {
  if (!entry.used_at_horizon) {
    ++accuracy_.unknown;
    return;
  }
  ++accuracy_.due;
  const bool happened = entry.exhausted && *entry.exhausted - entry.made <= horizon_;
  count(entry.risk.value_or(0), happened);
  if (*entry.used_at_horizon >= entry.low && *entry.used_at_horizon <= entry.high) ++accuracy_.inside_interval;
  if (!entry.is_alarm) return;
  ++accuracy_.alarms;
  if (entry.exhausted) ++accuracy_.alarms_true;
}

void ForecastLedger::count(double risk, bool happened) {
  auto& bins = accuracy_.calibration;
  const auto place = static_cast<std::size_t>(std::clamp(risk, 0.0, 1.0) * static_cast<double>(bins.size()));
  auto& bin = bins[std::min(place, bins.size() - 1)];
  ++bin.forecasts;
  bin.risk += risk;
  if (happened) ++bin.happened;
  const double error = risk - (happened ? 1 : 0);
  accuracy_.squared_error += error * error;
}

void ForecastLedger::take_in(MonoTime time, const Forecast& forecast) {
  const bool is_soon = count_ > 0 && time - entry(count_ - 1).made < horizon_ / static_cast<std::int64_t>(kEach);
  if (is_soon || count_ == kMost) return;
  Entry made;
  made.made = time;
  made.low = forecast.expected_used_low;
  made.high = forecast.expected_used_high;
  made.risk = forecast.risk;
  made.is_alarm = forecast.time_to_oom && *forecast.time_to_oom <= horizon_;
  entry(count_++) = made;
}

}  // namespace dualgpuopt::memory
