#include "predictor/outlook.h"

#include <algorithm>
#include <cmath>

namespace dualgpuopt::memory {
namespace {

constexpr double kNegligible = 1e-3;  // a reliability under this leaves the trend out
constexpr double kPrecision = 2e-3;   // of a quantile, as a share of it
constexpr int kMostSteps = 12;

/// A stretch of time within which a rising function passes 0, narrowed by false position in the Illinois variant
/// (M. Dowell, P. Jarratt, "A modified regula falsi method for computing the root of an equation", 1971).
class Bracket {
 public:
  Bracket(double from, double to, double low, double high) : from_(from), to_(to), low_(low), high_(high) {}

  [[nodiscard]] bool is_inside(double at) const { return at > from_ && at < to_; }
  [[nodiscard]] bool is_wide() const { return to_ - from_ > kPrecision * to_; }
  /// Where the straight line between the ends passes 0; an end that stays counts half each time.
  [[nodiscard]] double estimate() const {
    const double low = low_weight_ * low_;
    const double share = low / (low - high_weight_ * high_);
    return from_ + (to_ - from_) * std::clamp(share, kPrecision, 1 - kPrecision);
  }
  /// `value` is the function's at a time inside.
  void narrow(double at, double value) {
    const bool is_under = value < 0;
    (is_under ? from_ : to_) = at;
    (is_under ? low_ : high_) = value;
    (is_under ? low_weight_ : high_weight_) = 1;
    (is_under ? high_weight_ : low_weight_) /= 2;
  }
  [[nodiscard]] double crossing() const { return high_ > low_ ? from_ - (to_ - from_) * low_ / (high_ - low_) : to_; }

 private:
  double from_, to_, low_, high_;
  double low_weight_ = 1;
  double high_weight_ = 1;
};

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
  Bracket bracket{from, to, this->probability(from) - probability, this->probability(to) - probability};
  const auto narrow = [&](double seconds) {
    if (bracket.is_inside(seconds)) bracket.narrow(seconds, this->probability(seconds) - probability);
  };
  for (const auto* line : {&trend_, &staircase_}) {
    // A sure line is a step in the distribution; its own quantiles, just before and after it, take the search there.
    if (line->reliability == 0) continue;
    narrow(line->time_past(capacity_, -3) * (1 - kPrecision / 3));
    narrow(line->time_past(capacity_, 3) * (1 + kPrecision / 3));
  }
  if (trend_.reliability > 0 || staircase_.reliability > 0) {
    for (int step = 0; step < kMostSteps && bracket.is_wide(); ++step) narrow(bracket.estimate());
  }
  return bracket.crossing();
}

}  // namespace dualgpuopt::memory
