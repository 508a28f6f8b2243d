// Recordings in the CSV form of `nvidia-smi --query-gpu=timestamp,index,memory.used,memory.total --format=csv`.
#pragma once

#include "dualgpuopt/memory/sources/trace.h"

namespace dualgpuopt::memory {

/// Whether a recording that begins with this line is nvidia-smi's: a header with memory.used, a row with a date, or
/// one of the tool's own messages.
[[nodiscard]] bool is_nvidia_smi_line(std::string_view line);

/// Reads the whole recording. Errors as parse_trace.
[[nodiscard]] Result<Trace> parse_trace_nvidia_smi(std::string_view text);

}  // namespace dualgpuopt::memory
