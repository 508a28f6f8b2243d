// How a job went: the summary at its end, in words and as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "job/job_statistics.h"

namespace dualgpuopt::memory::job {

/// How the command itself ended.
struct CommandEnd {
  int code = 0;    ///< Where it exited.
  int signal = 0;  ///< Else what ended it.
};

struct RunRecord {
  TimeStamp ended;
  std::vector<std::string> command;
  pid_t job = 0;
  std::string priority;  ///< Empty: none.
  CommandEnd end;
  Duration wall{};
  Budget budget;
  std::optional<Limit> terminated_for;  ///< By us, for this.
  bool killed = false;                  ///< It did not end by SIGTERM alone.
  unsigned pressures = 0;
  unsigned pressure_runs = 0;
  std::size_t still_running = 0;  ///< Processes of the job that go on.

  std::string source;  ///< Empty where nothing was opened.
  Provenance provenance = Provenance::Driver;
  std::string not_measured;  ///< Why there was no measurement at all.
  std::optional<Peak> peak;
  std::map<int, Peak> peak_by_gpu;
  unsigned samples = 0;
  Duration unknown_for{};
  std::string unknown_reason;

  /// The exit code for it: 128+15 or 128+9 when it was terminated for its budget, else the command's own, or 128+n.
  [[nodiscard]] int exit_code() const;
};

/// Lines for people, each with its line feed.
[[nodiscard]] std::string describe(const RunRecord& record);
/// One JSON line; see docs/json.md.
[[nodiscard]] std::string to_json(const RunRecord& record);

}  // namespace dualgpuopt::memory::job
