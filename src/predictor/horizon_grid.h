// The horizons at which a probability of running out is kept: a fixed grid, each sqrt(2) times the one before.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace dualgpuopt::memory {

/// 1/8 s, then sqrt(2) times longer each, to 92,682 s: past the day at which a forecast ends.
inline constexpr std::size_t kHorizonCount = 40;

/// A probability, non-decreasing, at each horizon of the grid; 0 at horizon 0, straight lines between.
using RiskCurve = std::array<float, kHorizonCount>;

namespace detail {
/// 0.125 to the power `root`, times 2 ^ (k / (2 / root)): with root 1 the horizons, with root 0.5 their square roots.
constexpr std::array<float, kHorizonCount> powers(double first, double ratio) {
  std::array<float, kHorizonCount> values{};
  double value = first;
  for (auto& slot : values) {
    slot = static_cast<float>(value);
    value *= ratio;
  }
  return values;
}
}  // namespace detail

/// In seconds.
inline constexpr auto kHorizons = detail::powers(0.125, 1.4142135623730951);
inline constexpr auto kRootHorizons = detail::powers(0.35355339059327379, 1.1892071150027210);

/// The first horizon that is not shorter than `seconds`; kHorizonCount if there is none.
[[nodiscard]] inline std::size_t horizon_index(double seconds) {
  const auto found = std::lower_bound(kHorizons.begin(), kHorizons.end(), static_cast<float>(seconds));
  return static_cast<std::size_t>(found - kHorizons.begin());
}

/// The curve between its points; beyond the last one it stays as it is.
[[nodiscard]] inline double value_at(const RiskCurve& curve, double seconds) {
  if (seconds <= 0) return 0;
  const auto right = horizon_index(seconds);
  if (right == kHorizonCount) return curve.back();
  const double left_time = right == 0 ? 0 : kHorizons[right - 1];
  const double left_value = right == 0 ? 0 : curve[right - 1];
  const double share = std::min(1.0, (seconds - left_time) / (kHorizons[right] - left_time));
  return left_value + share * (curve[right] - left_value);
}

}  // namespace dualgpuopt::memory
