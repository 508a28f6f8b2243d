// What is remembered of a job's memory.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "job/job_memory.h"

namespace dualgpuopt::memory::job {

/// The most that was seen, and when after the start.
struct Peak {
  Bytes used = 0;
  Duration at{};
};

/// Peaks and gaps. Constant memory for any length of run.
class JobStatistics {
 public:
  /// `started`: when the job did, by the clock of the readings. A reading that is no news is passed over.
  explicit JobStatistics(MonoTime started) : started_(started) {}

  void add(const JobMemory& memory, MonoTime now);

  [[nodiscard]] const std::optional<Peak>& total() const { return total_; }
  [[nodiscard]] const std::map<int, Peak>& by_gpu() const { return by_gpu_; }
  /// Readings in which all of it was known.
  [[nodiscard]] unsigned samples() const { return samples_; }
  /// For how long not all of it was known, and why last.
  [[nodiscard]] Duration unknown_for(MonoTime now) const;
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  MonoTime started_;
  std::optional<MonoTime> last_;
  std::optional<MonoTime> unknown_since_;
  Duration unknown_{};
  std::optional<Peak> total_;
  std::map<int, Peak> by_gpu_;
  unsigned samples_ = 0;
  std::string reason_;
};

}  // namespace dualgpuopt::memory::job
