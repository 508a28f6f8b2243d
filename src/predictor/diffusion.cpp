#include "predictor/diffusion.h"

#include <cmath>

#include "predictor/normal_tail.h"

namespace dualgpuopt::memory {
namespace {

/// One point of the first-passage distribution. Both normal terms share the factor exp(-near^2 / 2), which keeps the
/// second one finite however large its own exponential is. `settled` is exp(2 m b / s^2), the probability of ever
/// arriving against a falling drift, and 1 for a rising one. The signs are chosen by copysign, which has no branch.
float first_passage(float near, float far, float settled) {
  near = smaller(13.0F, larger(-13.0F, near));
  far = smaller(1e6F, larger(-1e6F, far));
  const float bell = fast_exp(-0.5F * near * near);
  const float near_tail = scaled_normal_tail(std::fabs(near)) * bell;
  const float far_tail = scaled_normal_tail(std::fabs(far)) * bell;
  const float first = 0.5F - std::copysign(0.5F - near_tail, near);                       // near < 0: 1 - near_tail
  const float second = 0.5F * settled - std::copysign(0.5F * settled - far_tail, far);  // far < 0: settled - far_tail
  return smaller(1.0F, larger(0.0F, first + second));
}

}  // namespace

void Diffusion::add(double seconds, double rise) {
  const double kept = std::exp(-seconds / kMemorySeconds);
  weight_ = weight_ * kept + seconds;
  rise_ = rise_ * kept + rise;
  squares_ = squares_ * kept + rise * rise;
  neighbours_ = neighbours_ * kept + rise * last_rise_;
  last_rise_ = rise;
  has_risen_ = has_risen_ || rise > 0;
}

double Diffusion::variance_rate() const {
  return weight_ > 0 ? std::max(0.0, (squares_ + 2 * neighbours_) / weight_) : 0;
}

RiskCurve Diffusion::crossing(double headroom) const {
  RiskCurve curve{};
  const double variance = variance_rate();
  const double spread = std::sqrt(variance);
  // A walk this narrow does not get there within a day; below it the quotients leave the range of float.
  if (!has_risen_ || !(spread > 1e-9 * headroom)) return curve;
  const auto distance = static_cast<float>(headroom / spread);
  const auto pace = static_cast<float>(drift() / spread);
  const auto settled = static_cast<float>(std::exp(std::min(0.0, 2 * drift() * headroom / variance)));
  for (std::size_t k = 0; k < kHorizonCount; ++k) {
    const float reached = distance / kRootHorizons[k];
    const float drifted = pace * kRootHorizons[k];
    curve[k] = first_passage(reached - drifted, reached + drifted, settled);
  }
  for (std::size_t k = 1; k < kHorizonCount; ++k) curve[k] = std::max(curve[k], curve[k - 1]);
  return curve;
}

}  // namespace dualgpuopt::memory
