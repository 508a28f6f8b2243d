// The lines of logs without what terminals, encodings and JSON add. Private to the library.
#pragma once

#include <string>
#include <string_view>

namespace dualgpuopt::memory {

/// Lower case (ASCII), without escape sequences, frames of boxes and NUL bytes (as UTF-16 has them), with one blank for
/// every run of blanks, control characters and the escapes of JSON for them, and none at the ends.
[[nodiscard]] std::string normalized(std::string_view line);
/// The line without escape sequences and control characters, with "?" for what is not UTF-8, cut after 300 bytes.
[[nodiscard]] std::string readable(std::string_view line);

}  // namespace dualgpuopt::memory
