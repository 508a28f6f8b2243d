// Reading the wall-clock stamps of recordings.
#pragma once

#include <optional>
#include <string_view>

#include "dualgpuopt/memory/core/clock.h"

namespace dualgpuopt::memory {

/// Reads "2024/05/06 15:45:56.123" and "2024-05-06T15:45:56Z": the date with "/" or "-", a blank or "T", up to nine
/// digits of fraction or none, and "Z" or an offset as in "+02:00" or none. A stamp without zone, as nvidia-smi writes
/// the machine's local time, is taken as UTC: so a recording reads the same everywhere. Years 1970 to 2099. Empty:
/// the text is no such stamp.
[[nodiscard]] std::optional<WallTime> parse_wall_time(std::string_view text);

}  // namespace dualgpuopt::memory
