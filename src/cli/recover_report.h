// A decision that somebody asked for, in words: everybody who was a candidate, and what was done.
#pragma once

#include <string>

#include "dualgpuopt/memory/metrics/decision.h"

namespace dualgpuopt::memory::cli {

/// Several lines: whose evidence, the candidates with score and reason, each victim, and how it ended.
[[nodiscard]] std::string describe_relief(const Decision& decision);

}  // namespace dualgpuopt::memory::cli
