#include "predictor/waiting_times.h"

#include <algorithm>

namespace dualgpuopt::memory {
namespace {

/// P(an arrival within h), at the grid's horizons.
RiskCurve arrival(const ArrivalPrior& prior) {
  const auto missing = [](const Arrival& one, float seconds) {
    const auto start = static_cast<float>(one.since + one.settling);
    return 1 - static_cast<float>(one.share) * seconds / (start + seconds);
  };
  RiskCurve curve;
  for (std::size_t k = 0; k < kHorizonCount; ++k) {
    curve[k] = 1 - missing(prior.one, kHorizons[k]) * missing(prior.other, kHorizons[k]);
  }
  return curve;
}

}  // namespace

RiskCurve WaitingTimes::share(const ArrivalPrior& prior) const {
  const auto weight = static_cast<float>(prior.weight);
  const float all = total_ + weight;
  if (!(all > 0)) return {};
  auto curve = arrival(prior);
  float ended = 0;
  for (std::size_t k = 0; k < kHorizonCount; ++k) {
    ended += ended_[k];
    curve[k] = std::min(1.0F, (weight * curve[k] + ended) / all);
  }
  return curve;
}

RiskCurve WaitingTimes::product_limit(const ArrivalPrior& prior) const {
  const auto expected = arrival(prior);
  const auto weight = static_cast<float>(prior.weight);
  RiskCurve curve{};
  float waiting = total_;
  float survival = 1;
  float expected_before = 0;
  for (std::size_t k = 0; k < kHorizonCount; ++k) {
    const float all = waiting + weight;
    const float hazard = (expected[k] - expected_before) / std::max(1 - expected_before, 1e-6F);
    const float ending = all > 0 ? (ended_[k] + weight * hazard) / all : 0;
    survival *= 1 - std::clamp(ending, 0.0F, 1.0F);
    curve[k] = 1 - survival;
    waiting = std::max(0.0F, waiting - ended_[k] - open_[k]);
    expected_before = expected[k];
  }
  return curve;
}

}  // namespace dualgpuopt::memory
