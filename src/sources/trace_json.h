// Recordings as JSON Lines, which keep devices, processes and reserved memory.
#pragma once

#include "dualgpuopt/memory/sources/trace.h"

namespace dualgpuopt::memory {

/// The longest line that is read; ten thousand processes fit. It bounds what a hostile line can cost.
inline constexpr std::size_t kLongestJsonLine = std::size_t{1} << 20;

/// Reads the whole recording: records of type device and reading; other types and unknown keys are passed over, a
/// schema newer than kJsonSchema is an error. free and reserved are kept as recorded, even where they do not add up.
/// Errors as parse_trace.
[[nodiscard]] Result<Trace> parse_trace_json(std::string_view text);

}  // namespace dualgpuopt::memory
