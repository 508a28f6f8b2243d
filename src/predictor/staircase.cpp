#include "predictor/staircase.h"

#include <algorithm>
#include <cmath>

namespace dualgpuopt::memory {

void Staircase::add(double time, double used) {
  const double previous = now_;
  now_ = time;
  if (!has_sample_) {
    has_sample_ = true;
    level_ = used;
    last_change_ = time;
    return;
  }
  const double noise = kLeastChange * std::max(used, level_);
  if (std::abs(used - level_) <= noise) return;
  const bool goes_on = count_ > 0 && last_change_ == previous;
  if (used < level_) {
    count_ = 0;
  } else if (goes_on) {
    steps_[(count_ - 1) % kKept].level = used;
  } else {
    steps_[count_++ % kKept] = {time, used};
  }
  level_ = used;
  last_change_ = time;
}

double Staircase::mean_step() const {
  return count_ < kFewest ? 0 : (newest().level - step(0).level) / static_cast<double>(kept() - 1);
}

double Staircase::mean_interval() const {
  return count_ < kFewest ? 0 : (newest().time - step(0).time) / static_cast<double>(kept() - 1);
}

TrendEstimate Staircase::estimate(double capacity) const {
  if (count_ < kFewest || now_ - newest().time > kLatestStep * mean_interval()) return {};
  auto line = fit();
  if (line.reliability <= 0) return {};
  const double missing = std::max(0.0, std::ceil((capacity - newest().level) / std::max(mean_step(), 1.0)));
  const auto seen = static_cast<double>(count_ + 1);
  line.reliability *= seen / (seen + missing);
  return line;
}

TrendEstimate Staircase::fit() const {
  const auto count = static_cast<double>(kept());
  double mean_time = 0;
  double mean_level = 0;
  for (std::size_t i = 0; i < kept(); ++i) {
    mean_time += step(i).time / count;
    mean_level += step(i).level / count;
  }
  double tt = 0;
  double tu = 0;
  double uu = 0;
  for (std::size_t i = 0; i < kept(); ++i) {
    const double t = step(i).time - mean_time;
    const double u = step(i).level - mean_level;
    tt += t * t;
    tu += t * u;
    uu += u * u;
  }
  TrendEstimate line;
  if (!(tt > 0) || !(uu > 0)) return line;
  const double unexplained = (1 - std::min(1.0, tu * tu / (tt * uu))) * (count - 1) / (count - 2);
  line.reliability = std::clamp((1 - unexplained - kLeastExplained) / (1 - kLeastExplained), 0.0, 1.0);
  line.slope = tu / tt;
  // The stair stands half a step over the line in the mean, and never under the level that was reached.
  line.level = mean_level + line.slope * (now_ - mean_time - mean_interval() / 2);
  line.level = std::max(line.level, newest().level);
  line.noise = std::sqrt(unexplained * uu / count);
  line.slope_deviation = line.noise / std::sqrt(tt) + kSlopeUncertainty * line.slope;
  return line;
}

}  // namespace dualgpuopt::memory
