#include "dualgpuopt/memory/predictor/forecaster.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "predictor/diffusion.h"
#include "predictor/outlook.h"
#include "predictor/plateau_log.h"
#include "predictor/staircase.h"
#include "predictor/trend.h"

namespace dualgpuopt::memory {
namespace {

/// Where there is no trend: what the past of this very device says, and for the rest how it moved of late.
constexpr float kPastShare = 0.65F;
/// Exhaustion within this many horizons is foreseen when it is at least as probable as this. The walk has no say in
/// that: it is certain to get anywhere in the end, and knows no time.
constexpr double kForeseenHorizons = 3;
constexpr double kForeseenProbability = 0.25;
/// What is foreseen counts at least this share of its probability in the risk.
constexpr double kForeseenRisk = 0.2;

/// A device that fell from a high plateau mostly comes back to it: jobs restart, caches fill again. That is expected
/// for as long after as this share of the time that the plateau lasted.
constexpr double kReturnsWithin = 0.5;
constexpr double kReturnSeconds = 10;
/// As many observations as that expectation weighs.
constexpr double kExpectationWeight = 3;
/// Without it the past speaks for itself, and the expectation only where there is next to nothing.
constexpr double kSilenceWeight = 1e-3;
/// The share of changes that lead to a new height, for a headroom that is small to kNewHeightScale of the peak.
constexpr double kNewHeightShare = 0.1;
constexpr double kNewHeightScale = 0.1;
constexpr double kNewHeightSeconds = 5;

/// For the explanation: from this reliability on a trend counts, and movement by this share of the peak.
constexpr double kTrendCounts = 0.5;
constexpr double kRestlessShare = 0.01;
constexpr int kFewestSamples = 3;
constexpr double kTenthDeviation = 1.2815515655446004;  // the normal distribution's 90 % point

bool is_expected_back(const PlateauLog::Visits& visits) {
  return visits.count > 0 && visits.since_left <= kReturnsWithin * visits.total;
}

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
  /// The line or the staircase, whichever is more reliable over the next `seconds`.
  [[nodiscard]] TrendEstimate growth(double seconds) const;
  void foresee_use(Forecast& forecast, const TrendEstimate& trend) const;
  void explain_use(Forecast& forecast, const TrendEstimate& trend) const;
  static void explain_exhaustion(Forecast& forecast, const TrendEstimate& trend, const PlateauLog::Visits& visits);
  void foresee_exhaustion(Forecast& forecast, Bytes capacity) const;
  static void tell_time(Forecast& forecast, const Outlook& foreseen);
  [[nodiscard]] RiskCurve background(const WaitingTimes& waits, double capacity) const;
  [[nodiscard]] Arrival new_height(double capacity) const;
  [[nodiscard]] ArrivalPrior expectation(double capacity, const PlateauLog::Visits& visits) const;

  bool empty_ = true;
  int seen_ = 0;  // up to kFewestSamples
  MonoTime first_{};
  MonoTime last_{};
  Bytes used_ = 0;
  PlateauLog past_;
  Diffusion movement_;
  Trend trend_;
  Staircase steps_;
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
  steps_.add(seconds, static_cast<double>(used));
  last_ = time;
  used_ = used;
  empty_ = false;
  seen_ = std::min(seen_ + 1, kFewestSamples);
}

Forecast PooledForecaster::forecast(const TimeStamp& now, Duration horizon, std::optional<Bytes> capacity) const {
  Forecast forecast;
  forecast.time = now;
  forecast.horizon = horizon;
  if (empty_) return forecast;
  const auto trend = growth(std::max(0.0, Seconds(horizon).count()));
  foresee_use(forecast, trend);
  explain_use(forecast, trend);
  if (capacity) foresee_exhaustion(forecast, *capacity);
  return forecast;
}

TrendEstimate PooledForecaster::growth(double seconds) const {
  const auto line = trend_.estimate();
  const double interval = steps_.mean_interval();
  if (interval <= 0) return line;
  const auto steps = steps_.estimate(static_cast<double>(used_) + steps_.mean_step() * seconds / interval);
  return steps.reliability > line.reliability ? steps : line;
}

void PooledForecaster::foresee_use(Forecast& forecast, const TrendEstimate& trend) const {
  const double seconds = std::max(0.0, Seconds(forecast.horizon).count());
  const double share = trend.reliability;
  const auto present = static_cast<double>(used_);
  const double expected = present + share * (trend.level + trend.slope * seconds - present);
  const double line = share * std::hypot(trend.noise, trend.slope_deviation * seconds);
  const double walk = (1 - share) * std::sqrt(movement_.variance_rate() * seconds);
  // A reading is off its plateau by the noise, and so is the present one, unless a line takes its place.
  const double noise = std::sqrt((2 - share) * movement_.noise_variance());
  const double spread = kTenthDeviation * std::hypot(line, walk, noise);
  forecast.expected_used = to_bytes(expected);
  forecast.expected_used_low = to_bytes(expected - spread);
  forecast.expected_used_high = to_bytes(expected + spread);
  forecast.slope_bytes_per_second = share * trend.slope;
}

void PooledForecaster::foresee_exhaustion(Forecast& forecast, Bytes capacity) const {
  if (used_ >= capacity) {
    forecast.time_to_oom = forecast.time_to_oom_low = forecast.time_to_oom_high = Seconds(0);
    forecast.risk = 1;
    return;
  }
  const auto limit = static_cast<double>(capacity);
  const double seconds = std::max(0.0, Seconds(forecast.horizon).count());
  const auto trend = trend_.estimate();
  const auto visits = past_.visits_to(limit);
  const auto waits = past_.waits_for(limit);
  const auto steps = steps_.estimate(limit);
  const Outlook all(background(waits, limit), trend, steps, limit);
  const auto expected = expectation(limit, visits);
  const Outlook foreseen(waits.product_limit(expected), trend, steps, limit);
  const double risk = std::max(all.probability(seconds), kForeseenRisk * value_at(waits.share(expected), seconds));
  forecast.risk = std::clamp(risk, 0.0, 1.0);
  tell_time(forecast, foreseen);
  if (forecast.time_to_oom) explain_exhaustion(forecast, trend, visits);
}

void PooledForecaster::explain_use(Forecast& forecast, const TrendEstimate& trend) const {
  const double moved = std::sqrt(movement_.variance_rate() * std::max(0.0, Seconds(forecast.horizon).count()));
  const bool is_staircase = steps_.estimate(static_cast<double>(used_)).reliability > trend_.estimate().reliability;
  if (is_staircase) {
    forecast.regime = Regime::Stepping;
    forecast.step = to_bytes(steps_.mean_step());
    forecast.period = Seconds(steps_.mean_interval());
  } else if (trend.reliability >= kTrendCounts) {
    forecast.regime = trend.slope > 0 ? Regime::Growing : Regime::Falling;
  } else if (seen_ >= kFewestSamples) {
    forecast.regime = moved > kRestlessShare * past_.peak() ? Regime::Restless : Regime::Steady;
  }
}

/// Steps and lines say it themselves; else it is the past that foresees exhaustion, because the walk may not.
void PooledForecaster::explain_exhaustion(Forecast& forecast, const TrendEstimate& trend,
                                          const PlateauLog::Visits& visits) {
  if (forecast.regime == Regime::Stepping || forecast.regime == Regime::Growing) return;
  if (visits.count == 0) {
    if (trend.reliability > 0 && trend.slope > 0) forecast.regime = Regime::Growing;
    return;
  }
  forecast.since_oom = Seconds(visits.since_left);
  if (visits.period) {
    forecast.regime = Regime::Recurring;
    forecast.period = Seconds(*visits.period);
  } else {
    forecast.regime = Regime::Returning;
  }
}

void PooledForecaster::tell_time(Forecast& forecast, const Outlook& foreseen) {
  const double soon = foreseen.probability(kForeseenHorizons * std::max(0.0, Seconds(forecast.horizon).count()));
  const double counted = soon >= kForeseenProbability ? soon : 1;
  const auto median = foreseen.quantile(0.5 * counted);
  if (!median) return;
  forecast.time_to_oom = Seconds(*median);
  forecast.time_to_oom_low = Seconds(std::min(*median, foreseen.quantile(0.1 * counted).value_or(*median)));
  if (const auto high = foreseen.quantile(0.9 * counted)) {
    forecast.time_to_oom_high = Seconds(std::max(*median, *high));
  }
}

RiskCurve PooledForecaster::background(const WaitingTimes& waits, double capacity) const {
  const auto past = waits.share({kSilenceWeight, new_height(capacity), {}});
  auto curve = movement_.crossing(capacity - static_cast<double>(used_));
  for (std::size_t k = 0; k < kHorizonCount; ++k) curve[k] += kPastShare * (past[k] - curve[k]);
  return curve;
}

Arrival PooledForecaster::new_height(double capacity) const {
  if (!movement_.has_risen()) return {};
  const double headroom = capacity - static_cast<double>(used_);
  const double scale = kNewHeightScale * std::max(past_.peak(), 1.0);
  return {kNewHeightShare / (1 + headroom / scale), past_.age(), kNewHeightSeconds};
}

ArrivalPrior PooledForecaster::expectation(double capacity, const PlateauLog::Visits& visits) const {
  ArrivalPrior prior{kExpectationWeight, new_height(capacity), {}};
  if (movement_.has_risen() && is_expected_back(visits)) prior.other = {1, visits.since_left, kReturnSeconds};
  return prior;
}

}  // namespace

std::unique_ptr<Forecaster> make_forecaster() { return std::make_unique<PooledForecaster>(); }

}  // namespace dualgpuopt::memory
