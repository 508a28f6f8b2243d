// The horizons at which a probability of running out is kept: a fixed grid, each sqrt(2) times the one before.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace dualgpuopt::memory {

/// 1/8 s, then sqrt(2) times longer each, to 92,682 s: past the day at which a forecast ends.
inline constexpr std::size_t kHorizonCount = 40;

/// A probability, non-decreasing, at each horizon of the grid; 0 at horizon 0, straight lines between.
using RiskCurve = std::array<float, kHorizonCount>;

/// `first`, and each further value `ratio` times the one before.
[[nodiscard]] constexpr std::array<float, kHorizonCount> geometric_series(double first, double ratio) {
  std::array<float, kHorizonCount> values{};
  for (auto& value : values) {
    value = static_cast<float>(first);
    first *= ratio;
  }
  return values;
}

/// In seconds.
inline constexpr auto kHorizons = geometric_series(0.125, 1.4142135623730951);
inline constexpr auto kRootHorizons = geometric_series(0.35355339059327379, 1.1892071150027210);

/// The first horizon that is not shorter than `seconds`; kHorizonCount if there is none.
[[nodiscard]] inline std::size_t horizon_index(double seconds) {
  const auto wanted = static_cast<float>(std::clamp(seconds, 0.0, 1e6));
  if (wanted <= kHorizons.front()) return 0;
  if (wanted > kHorizons.back()) return kHorizonCount;
  // The power of two under it is its exponent bits; the grid has two horizons to each.
  const auto octave = (std::bit_cast<std::uint32_t>(wanted) >> 23) - (std::bit_cast<std::uint32_t>(kHorizons[0]) >> 23);
  const std::size_t k = std::size_t{2} * octave;
  return k + static_cast<std::size_t>(wanted > kHorizons[k]) + static_cast<std::size_t>(wanted > kHorizons[k + 1]);
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
