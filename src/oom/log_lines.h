// The lines of logs: without what loggers and terminals add, and joined again where they were wrapped. Private to the
// library.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dualgpuopt::memory {

/// Lower case (ASCII), without escape sequences, frames of boxes and NUL bytes (as UTF-16 has them), with one blank for
/// every run of blanks, control characters and the escapes of JSON for them, and none at the ends.
[[nodiscard]] std::string normalized(std::string_view line);
/// The line without escape sequences and control characters, with "?" for what is not UTF-8, cut after 300 bytes.
[[nodiscard]] std::string readable(std::string_view line);

/// A normalized line without what a logger puts before each: "[rank0]:", "(EngineCore_DP0 pid=123) error 11-24 12:00:00
/// [core.py:123]", "container_1 |", dates, host and unit of journald.
[[nodiscard]] std::string_view without_prefix(std::string_view line);

/// Appends the next line of a wrapped text, with a blank between, or without where a word or a number was cut in two.
void append_wrapped(std::string& text, std::string_view rest);
/// Whether `rest` may go on with the sentence that `before` did not end, whose last line had this length as printed.
[[nodiscard]] bool may_go_on(std::string_view before, std::size_t length, std::string_view rest);

}  // namespace dualgpuopt::memory
