// What the supervisor of a job is asked to do.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory::job {

/// Why the pressure command runs, as its environment tells it.
struct PressureCause {
  std::optional<int> gpu;  ///< Empty: all together.
  Bytes used = 0;
  std::optional<Bytes> budget;
  std::string reason;  ///< "budget", "critical", "emergency" or "forecast".
};

/// Tell the user.
struct Notice {
  std::string text;
};
/// Run the pressure command, and say when it has ended.
struct RunPressureCommand {
  PressureCause cause;
};
/// Send it to every process of the job.
struct SignalJob {
  int signal = 0;
};
using JobAction = std::variant<Notice, RunPressureCommand, SignalJob>;
using JobActions = std::vector<JobAction>;

}  // namespace dualgpuopt::memory::job
