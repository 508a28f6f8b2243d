// What can be measured: our forecaster, and the methods that people use today.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace dualgpuopt::memory::forecast_benchmark {

inline constexpr double kNever = std::numeric_limits<double>::infinity();

/// A forecast for one capacity.
struct Opinion {
  double time_to_oom = kNever;  ///< Seconds.
  double risk = 0;              ///< Of reaching the capacity within the horizon; for methods without one, a ranking.
};

/// Learns one series, sample by sample, and gives an opinion from the past alone.
class Candidate {
 public:
  virtual ~Candidate() = default;
  virtual void update(double time, double used) = 0;
  [[nodiscard]] virtual Opinion forecast(double capacity, double horizon) const = 0;
};

struct CandidateKind {
  std::string name;
  bool has_risk = false;  ///< Its risk is a probability, so that a calibration error means something.
  std::function<std::unique_ptr<Candidate>()> make;
};

/// Ours first, then the baselines: Prometheus' predict_linear over 1, 5 and 15 minutes, Holt's double exponential
/// smoothing, Theil-Sen over 5 minutes, the fit of the original module, and the distance to the capacity alone.
[[nodiscard]] std::vector<CandidateKind> all_candidates();

}  // namespace dualgpuopt::memory::forecast_benchmark
