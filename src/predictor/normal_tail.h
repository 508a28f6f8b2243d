// The normal distribution fast enough for every sample, and written so that a compiler can do four at a time.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace dualgpuopt::memory {

/// By value, unlike std::min and std::max: on references the compiler keeps a branch, and with it one lane.
[[nodiscard]] inline float smaller(float a, float b) { return a < b ? a : b; }
[[nodiscard]] inline float larger(float a, float b) { return a > b ? a : b; }

/// e to this is the least that a float holds in full precision.
inline constexpr float kLeastExponent = -87.0F;

/// e^x for kLeastExponent <= x <= 0, to 1 in 10^5 (the rounding of the exponent; 1 in 10^6 for x > -10).
[[nodiscard]] inline float fast_exp(float x) {
  const float power = x * 1.44269504F;
  const auto whole = static_cast<std::int32_t>(power - 0.5F);  // truncation towards zero: the nearest integer
  const float f = (power - static_cast<float>(whole)) * 0.693147181F;
  // Taylor's series for |f| <= ln(2)/2; the next term is under 2e-7.
  const float tail = 0.166666667F + f * (0.0416666667F + f * (0.00833333333F + f * 0.00138888889F));
  const float series = 1.0F + f * (1.0F + f * (0.5F + f * tail));
  return series * std::bit_cast<float>((whole + 127) << 23);
}

/// Q(x) / exp(-x^2/2) for x >= 0, where Q is the normal distribution's upper tail. A polynomial in 1 / (1 + x/4),
/// fitted for the least largest relative error, which is under 3 in 10^6 for every x, however far out: the tail's
/// product with a large exponential needs that.
[[nodiscard]] inline float scaled_normal_tail(float x) {
  const float t = 1.0F / (1.0F + 0.25F * x);
  const float high = 0.0740145937F + t * (0.00641303711F + t * (0.086185405F - t * 0.0393730273F));
  const float low = 0.0997354581F + t * (0.0997414225F + t * (0.0935138808F + t * 0.079768668F));
  return t * (low + (t * t) * (t * t) * high);
}

/// P(N(0,1) <= x).
[[nodiscard]] inline float normal_cdf(float x) {
  const float magnitude = std::min(x < 0 ? -x : x, 13.0F);
  const float tail = scaled_normal_tail(magnitude) * fast_exp(-0.5F * magnitude * magnitude);
  return x < 0 ? tail : 1.0F - tail;
}

}  // namespace dualgpuopt::memory
