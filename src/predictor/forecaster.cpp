#include "dualgpuopt/memory/predictor/forecaster.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "predictor/diffusion.h"
#include "predictor/outlook.h"
#include "predictor/plateau_log.h"
#include "predictor/trend.h"

namespace dualgpuopt::memory {
namespace {

/// Where there is no trend, what the past of this very device says and how it moved of late count the same, but for a
/// hair: the past alone may foresee exhaustion; the walk, which is certain to get anywhere in the end, may not.
constexpr float kPastShare = 0.51F;
constexpr double kTenthDeviation = 1.2815515655446004;  // the normal distribution's 90 % point

double seconds_between(MonoTime from, MonoTime to) { return Seconds(to - from).count(); }

Bytes to_bytes(double amount) {
  constexpr double limit = 0x1p64;
  if (!(amount > 0)) return 0;
  return amount >= limit ? std::numeric_limits<Bytes>::max() : static_cast<Bytes>(amount);
}

class PooledForecaster final : public Forecaster {
 public:
  void update(MonoTime time, Bytes used) override;
  [[nodiscard]] Forecast forecast(const TimeStamp& now, Duration horizon, std::optional<Bytes> capacity) const override;
  void reset() override { *this = PooledForecaster(); }

 private:
  void foresee_use(Forecast& forecast, const TrendEstimate& trend) const;
  void foresee_exhaustion(Forecast& forecast, const TrendEstimate& trend, Bytes capacity) const;
  [[nodiscard]] RiskCurve background(double capacity) const;

  bool empty_ = true;
  MonoTime first_{};
  MonoTime last_{};
  Bytes used_ = 0;
  PlateauLog past_;
  Diffusion movement_;
  Trend trend_;
};

void PooledForecaster::update(MonoTime time, Bytes used) {
  if (!empty_ && time <= last_) return;
  if (empty_) {
    first_ = time;
  } else {
    movement_.add(seconds_between(last_, time), static_cast<double>(used) - static_cast<double>(used_));
  }
  const double seconds = seconds_between(first_, time);
  past_.add(seconds, static_cast<double>(used));
  trend_.add(seconds, static_cast<double>(used));
  last_ = time;
  used_ = used;
  empty_ = false;
}

Forecast PooledForecaster::forecast(const TimeStamp& now, Duration horizon, std::optional<Bytes> capacity) const {
  Forecast forecast;
  forecast.time = now;
  forecast.horizon = horizon;
  if (empty_) return forecast;
  const auto trend = trend_.estimate();
  foresee_use(forecast, trend);
  if (capacity) foresee_exhaustion(forecast, trend, *capacity);
  return forecast;
}

void PooledForecaster::foresee_use(Forecast& forecast, const TrendEstimate& trend) const {
  const double seconds = std::max(0.0, Seconds(forecast.horizon).count());
  const double share = trend.reliability;
  const auto present = static_cast<double>(used_);
  const double expected = present + share * (trend.level + trend.slope * seconds - present);
  const double line = share * std::hypot(trend.noise, trend.slope_deviation * seconds);
  const double walk = (1 - share) * std::sqrt(movement_.variance_rate() * seconds);
  const double spread = kTenthDeviation * std::hypot(line, walk);
  forecast.expected_used = to_bytes(expected);
  forecast.expected_used_low = to_bytes(expected - spread);
  forecast.expected_used_high = to_bytes(expected + spread);
  forecast.slope_bytes_per_second = share * trend.slope;
}

void PooledForecaster::foresee_exhaustion(Forecast& forecast, const TrendEstimate& trend, Bytes capacity) const {
  if (used_ >= capacity) {
    forecast.time_to_oom = forecast.time_to_oom_low = forecast.time_to_oom_high = Seconds(0);
    forecast.risk = 1;
    return;
  }
  const auto limit = static_cast<double>(capacity);
  const Outlook outlook(background(limit), trend, limit);
  forecast.risk = std::clamp(outlook.probability(Seconds(forecast.horizon).count()), 0.0, 1.0);
  const auto median = outlook.quantile(0.5);
  if (!median) return;
  forecast.time_to_oom = Seconds(*median);
  forecast.time_to_oom_low = Seconds(std::min(*median, outlook.quantile(0.1).value_or(*median)));
  if (const auto high = outlook.quantile(0.9)) forecast.time_to_oom_high = Seconds(std::max(*median, *high));
}

RiskCurve PooledForecaster::background(double capacity) const {
  const auto past = past_.crossing(capacity);
  auto curve = movement_.crossing(capacity - static_cast<double>(used_));
  for (std::size_t k = 0; k < kHorizonCount; ++k) curve[k] += kPastShare * (past[k] - curve[k]);
  return curve;
}

}  // namespace

std::unique_ptr<Forecaster> make_forecaster() { return std::make_unique<PooledForecaster>(); }

}  // namespace dualgpuopt::memory
