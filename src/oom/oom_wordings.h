// The wordings of each framework.
#pragma once

#include <optional>
#include <string_view>

#include "dualgpuopt/memory/oom/oom_error.h"

namespace dualgpuopt::memory {

/// The error that a line tells of; empty when it is about something else. The one place that decides which framework's
/// words a line has.
[[nodiscard]] std::optional<OomError> parse_oom_line(std::string_view line);

/// Adds what a following line says of an error: PyTorch and llama.cpp spread theirs over several. False when the line
/// has nothing to add.
bool add_oom_details(OomError& error, std::string_view line);

}  // namespace dualgpuopt::memory
