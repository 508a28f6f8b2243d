// What is likely to help against an out-of-memory error, with its numbers.
#pragma once

#include <string>
#include <vector>

#include "dualgpuopt/memory/oom/oom_error.h"

namespace dualgpuopt::memory {

/// At most three measures, the most likely first. Each rests on numbers of the error where it has them; general ones
/// are given only where the text tells nothing that a better one could rest on.
[[nodiscard]] std::vector<std::string> measures_against(const OomError& error);

}  // namespace dualgpuopt::memory
