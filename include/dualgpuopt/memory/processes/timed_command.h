// Runs a command of the user's for as long as it may take and no longer.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {

/// How a command ended. TimedOut: it was ended with all of its process group when its time was up, or at a stop.
/// Unknown: another part of this program reaped it.
enum class CommandEnd { Exited, Signalled, TimedOut, Unknown };

struct CommandOutcome {
  CommandEnd end = CommandEnd::Exited;
  int code = 0;  ///< Of Exited, the exit code; of Signalled, the signal.

  /// "exited with 0", "was ended by signal 9", "was ended when its time was up".
  [[nodiscard]] std::string text() const;
};

/// Runs `/bin/sh -c COMMAND` in a process group of its own, with `environment` ("NAME=value") added to ours, standard
/// input empty, and standard output going to standard error, since ours may be read by a program. Real time. May be
/// called on any thread. Error (Io): it could not be started.
[[nodiscard]] Result<CommandOutcome> run_command(const std::string& command,
                                                 const std::vector<std::string>& environment, Duration limit,
                                                 const std::stop_token& stop);

}  // namespace dualgpuopt::memory
