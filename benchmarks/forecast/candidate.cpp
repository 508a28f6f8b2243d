#include "forecast/candidate.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "dualgpuopt/memory/predictor/forecaster.h"
#include "forecast/series.h"

namespace dualgpuopt::memory::forecast_benchmark {
namespace {

/// Methods that give a time only are ranked by it: sooner is riskier.
Opinion by_time(double seconds) { return {seconds, 1 / (1 + std::max(0.0, seconds))}; }

/// When a line that is at `level` now and climbs by `slope` a second is at the capacity.
double time_on_line(double level, double slope, double capacity) {
  if (level >= capacity) return 0;
  return slope > 0 ? (capacity - level) / slope : kNever;
}

class Ours final : public Candidate {
 public:
  void update(double time, double used) override {
    forecaster_->update(MonoTime(std::chrono::duration_cast<Duration>(Seconds(time))), static_cast<Bytes>(used));
  }
  [[nodiscard]] Opinion forecast(double capacity, double horizon) const override {
    const auto result =
        forecaster_->forecast({}, std::chrono::duration_cast<Duration>(Seconds(horizon)), static_cast<Bytes>(capacity));
    return {result.time_to_oom ? result.time_to_oom->count() : kNever, result.risk.value_or(0)};
  }

 private:
  std::unique_ptr<Forecaster> forecaster_ = make_forecaster();
};

/// The samples of the last `seconds`.
class Window {
 public:
  explicit Window(double seconds) : seconds_(seconds) {}
  void add(double time, double used) {
    samples_.push_back({time, used});
    while (time - samples_.front().time > seconds_) samples_.pop_front();
  }
  [[nodiscard]] const std::deque<Sample>& samples() const { return samples_; }

 private:
  double seconds_;
  std::deque<Sample> samples_;
};

struct Line {
  double slope = 0;
  double mean_time = 0;
  double mean_used = 0;
};

Line least_squares(const std::deque<Sample>& samples) {
  Line line;
  const auto count = static_cast<double>(samples.size());
  for (const auto& sample : samples) {
    line.mean_time += sample.time / count;
    line.mean_used += sample.used / count;
  }
  double square = 0;
  double product = 0;
  for (const auto& sample : samples) {
    square += (sample.time - line.mean_time) * (sample.time - line.mean_time);
    product += (sample.time - line.mean_time) * (sample.used - line.mean_used);
  }
  line.slope = square > 0 ? product / square : 0;
  return line;
}

/// Prometheus' predict_linear: least squares over a window, from the line's value at the present.
class PredictLinear final : public Candidate {
 public:
  explicit PredictLinear(double window) : window_(window) {}
  void update(double time, double used) override {
    window_.add(time, used);
    line_ = least_squares(window_.samples());
  }
  [[nodiscard]] Opinion forecast(double capacity, double) const override {
    if (window_.samples().size() < 2) return by_time(kNever);
    const double level = line_.mean_used + line_.slope * (window_.samples().back().time - line_.mean_time);
    return by_time(time_on_line(level, line_.slope, capacity));
  }

 private:
  Window window_;
  Line line_;
};

/// The original module: least squares over its newest 60 samples, projected from the line's value at the oldest.
class OriginalFit final : public Candidate {
 public:
  void update(double time, double used) override {
    samples_.push_back({time, used});
    if (samples_.size() > kSamples) samples_.pop_front();
  }
  [[nodiscard]] Opinion forecast(double capacity, double) const override {
    if (samples_.size() < 2) return by_time(kNever);
    const auto line = least_squares(samples_);
    const double start = line.mean_used + line.slope * (samples_.front().time - line.mean_time);
    return by_time(time_on_line(start, line.slope, capacity));
  }

 private:
  static constexpr std::size_t kSamples = 60;
  std::deque<Sample> samples_;
};

/// Holt's double exponential smoothing (1957), level and slope with time constants of 10 and 60 s on any interval.
class Holt final : public Candidate {
 public:
  void update(double time, double used) override {
    if (!has_level_) {
      has_level_ = true;
      level_ = used;
    } else {
      const double seconds = std::max(1e-3, time - time_);
      const double before = level_;
      const double expected = level_ + slope_ * seconds;
      level_ = expected + (1 - std::exp(-seconds / kLevelSeconds)) * (used - expected);
      slope_ += (1 - std::exp(-seconds / kSlopeSeconds)) * ((level_ - before) / seconds - slope_);
    }
    time_ = time;
  }
  [[nodiscard]] Opinion forecast(double capacity, double) const override {
    return by_time(time_on_line(level_, slope_, capacity));
  }

 private:
  static constexpr double kLevelSeconds = 10;
  static constexpr double kSlopeSeconds = 60;
  bool has_level_ = false;
  double time_ = 0;
  double level_ = 0;
  double slope_ = 0;
};

/// The median of all pairwise slopes over five minutes (Theil 1950, Sen 1968); at most 60 samples of them, evenly.
class TheilSen final : public Candidate {
 public:
  void update(double time, double used) override {
    window_.add(time, used);
    fit();
  }
  [[nodiscard]] Opinion forecast(double capacity, double) const override {
    return by_time(time_on_line(level_, slope_, capacity));
  }

 private:
  static double median(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }
  void fit() {
    const auto& all = window_.samples();
    const auto stride = (all.size() + kMostSamples - 1) / kMostSamples;
    std::vector<Sample> chosen;
    for (std::size_t back = 0; back < all.size(); back += stride) chosen.push_back(all[all.size() - 1 - back]);
    slopes_.clear();
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      for (std::size_t j = i + 1; j < chosen.size(); ++j) {
        const double seconds = chosen[i].time - chosen[j].time;
        if (seconds > 0) slopes_.push_back((chosen[i].used - chosen[j].used) / seconds);
      }
    }
    slope_ = slopes_.empty() ? 0 : median(slopes_);
    levels_.clear();
    for (const auto& sample : chosen) levels_.push_back(sample.used + slope_ * (all.back().time - sample.time));
    level_ = median(levels_);
  }

  static constexpr std::size_t kMostSamples = 60;
  Window window_{300};
  std::vector<double> slopes_;
  std::vector<double> levels_;
  double slope_ = 0;
  double level_ = 0;
};

/// No forecast: nearer to the capacity is riskier, and the last 5 % are an alarm.
class LevelOnly final : public Candidate {
 public:
  void update(double, double used) override { used_ = used; }
  [[nodiscard]] Opinion forecast(double capacity, double) const override {
    return by_time(60 * (1 - used_ / capacity) / 0.05);
  }

 private:
  double used_ = 0;
};

template <typename Kind, typename... Arguments>
CandidateKind kind(std::string name, bool has_risk, Arguments... arguments) {
  return {std::move(name), has_risk, [arguments...] { return std::make_unique<Kind>(arguments...); }};
}

}  // namespace

std::vector<CandidateKind> all_candidates() {
  return {kind<Ours>("gpumem", true),
          kind<PredictLinear>("predict_linear 1m", false, 60.0),
          kind<PredictLinear>("predict_linear 5m", false, 300.0),
          kind<PredictLinear>("predict_linear 15m", false, 900.0),
          kind<Holt>("Holt", false),
          kind<TheilSen>("Theil-Sen 5m", false),
          kind<OriginalFit>("original fit", false),
          kind<LevelOnly>("level only", false)};
}

}  // namespace dualgpuopt::memory::forecast_benchmark
