// Recordings in the CSV form `t_s,gpu,used_bytes,total_bytes`.
#pragma once

#include "dualgpuopt/memory/sources/trace.h"

namespace dualgpuopt::memory {

inline constexpr std::string_view kTraceCsvHeader = "t_s,gpu,used_bytes,total_bytes";

/// Whether a line is the header, blanks around the names aside.
[[nodiscard]] bool is_trace_csv_header(std::string_view line);

/// Reads the whole recording, header included; a header further down is passed over. Errors as parse_trace.
[[nodiscard]] Result<Trace> parse_trace_csv(std::string_view text);

}  // namespace dualgpuopt::memory
