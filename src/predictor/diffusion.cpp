#include "predictor/diffusion.h"

#include <algorithm>
#include <cmath>

#include "predictor/normal_tail.h"

namespace dualgpuopt::memory {
namespace {

constexpr double kWidest = 1e9;  // of a quotient by the spread

/// One point of the first-passage distribution. Both normal terms share the factor exp(-near^2 / 2), `bell`, which
/// keeps the second one finite however large its own exponential is. `settled` is exp(2 m b / s^2), the probability of
/// ever arriving against a falling drift, and 1 for a rising one. The signs are chosen by copysign, which has no
/// branch.
float first_passage(float near, float far, float bell, float settled) {
  const float near_tail = scaled_normal_tail(std::fabs(near)) * bell;
  const float far_tail = scaled_normal_tail(std::fabs(far)) * bell;
  const float first = 0.5F - std::copysign(0.5F - near_tail, near);                     // near < 0: 1 - near_tail
  const float second = 0.5F * settled - std::copysign(0.5F * settled - far_tail, far);  // far < 0: settled - far_tail
  return first + second;
}

}  // namespace

void Diffusion::add(double seconds, double rise) {
  const double kept = std::exp(-seconds / kMemorySeconds);
  weight_ = weight_ * kept + seconds;
  rise_ = rise_ * kept + rise;
  squares_ = squares_ * kept + rise * rise;
  neighbours_ = neighbours_ * kept + rise * last_rise_;
  steps_ = steps_ * kept + 1;
  last_rise_ = rise;
  has_risen_ = has_risen_ || rise > 0;
}

double Diffusion::variance_rate() const {
  return weight_ > 0 ? std::max(0.0, (squares_ + 2 * neighbours_) / weight_) : 0;
}

double Diffusion::noise_variance() const { return steps_ > 0 ? std::max(0.0, -neighbours_ / steps_) : 0; }

RiskCurve Diffusion::crossing(double headroom) const {
  RiskCurve curve{};
  const double variance = variance_rate();
  const double spread = std::sqrt(variance);
  // A walk this narrow does not get there within a day; below it the quotients leave the range of float.
  if (!has_risen_ || !(spread * kWidest > headroom)) return curve;
  const auto distance = static_cast<float>(headroom / spread);
  const auto pace = static_cast<float>(std::clamp(drift() / spread, -kWidest, kWidest));
  const auto settled = static_cast<float>(std::exp(std::min(0.0, 2 * drift() * headroom / variance)));
  // In separate loops, each of which the compiler does four at a time.
  RiskCurve bell;
  for (std::size_t k = 0; k < kHorizonCount; ++k) {
    const float near = distance / kRootHorizons[k] - pace * kRootHorizons[k];
    bell[k] = larger(kLeastExponent, -0.5F * near * near);
  }
  for (float& value : bell) value = fast_exp(value);
  for (std::size_t k = 0; k < kHorizonCount; ++k) {
    const float reached = distance / kRootHorizons[k];
    const float drifted = pace * kRootHorizons[k];
    curve[k] = first_passage(reached - drifted, reached + drifted, bell[k], settled);
  }
  float highest = 0;
  for (float& value : curve) value = highest = smaller(1.0F, larger(highest, value));
  return curve;
}

}  // namespace dualgpuopt::memory
