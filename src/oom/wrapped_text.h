// Texts that were wrapped over several lines, joined again; all are normalized. Private to the library.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dualgpuopt::memory {

/// Appends the next line of a wrapped text, with a blank between, or without where a word or a number was cut in two.
void append_wrapped(std::string& text, std::string_view rest);
/// Whether `rest` may go on with the sentence that `before` did not end, whose last line had this length as printed.
[[nodiscard]] bool may_go_on(std::string_view before, std::size_t length, std::string_view rest);

}  // namespace dualgpuopt::memory
