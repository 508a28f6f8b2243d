#include "predictor/outlook.h"

#include <algorithm>
#include <cmath>

namespace dualgpuopt::memory {
namespace {

constexpr double kNegligible = 1e-3;  // a reliability under this leaves the trend out
constexpr double kPrecision = 1e-3;   // of a quantile, as a share of it
constexpr int kMostSteps = 12;

TrendEstimate counted(TrendEstimate trend) {
  if (trend.slope <= 0 || trend.reliability < kNegligible) trend.reliability = 0;
  return trend;
}

}  // namespace

Outlook::Outlook(const RiskCurve& background, const TrendEstimate& trend, const TrendEstimate& staircase,
                 double capacity)
    : background_(background), trend_(counted(trend)), staircase_(counted(staircase)), capacity_(capacity) {}

double Outlook::probability(double seconds) const {
  return seconds <= 0 ? 0 : join(value_at(background_, seconds), seconds);
}

double Outlook::join(double background, double seconds) const {
  double joined = background;
  if (trend_.reliability > 0) joined += trend_.reliability * (trend_.crossing(capacity_, seconds) - background);
  if (staircase_.reliability > 0) {
    joined += (1 - joined) * staircase_.reliability * staircase_.crossing(capacity_, seconds);
  }
  return joined;
}

std::optional<double> Outlook::quantile(double probability) const {
  if (this->probability(kFurthestSeconds) < probability) return std::nullopt;
  // The first horizon of the grid at which the probability is reached, by halving.
  std::size_t first = 0;
  std::size_t last = horizon_index(kFurthestSeconds);
  while (first < last) {
    const auto middle = (first + last) / 2;
    if (join(background_[middle], kHorizons[middle]) < probability) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  const double from = first == 0 ? 0 : kHorizons[first - 1];
  return search(probability, from, std::min<double>(kHorizons[first], kFurthestSeconds));
}

double Outlook::search(double probability, double from, double to) const {
  double low = this->probability(from);
  double high = this->probability(to);
  const auto narrow = [&](double seconds) {
    if (!(seconds > from && seconds < to)) return;
    const double value = this->probability(seconds);
    (value < probability ? from : to) = seconds;
    (value < probability ? low : high) = value;
  };
  for (const auto* line : {&trend_, &staircase_}) {
    // A sure line is a step in the distribution; its own quantiles take the search there at once.
    if (line->reliability == 0) continue;
    for (const double deviations : {-3.0, 3.0}) narrow(line->time_past(capacity_, deviations));
  }
  if (trend_.reliability > 0 || staircase_.reliability > 0) {
    for (int step = 0; step < kMostSteps && to - from > kPrecision * to; ++step) narrow((from + to) / 2);
  }
  return high > low ? from + (to - from) * (probability - low) / (high - low) : to;
}

}  // namespace dualgpuopt::memory
