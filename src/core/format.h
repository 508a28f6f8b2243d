// fmt's formatting. What it takes to format is compiled once, in format.cpp, and not anew in each source that formats.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>

namespace dualgpuopt::memory {

[[nodiscard]] std::string format_arguments(fmt::string_view format, fmt::format_args arguments);

/// fmt::format: the format is checked as it is compiled.
template <typename... Arguments>
[[nodiscard]] std::string format_text(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  return format_arguments(format, fmt::make_format_args(arguments...));
}

/// fmt::print; like it, says nothing of a stream that takes no more.
template <typename... Arguments>
void print_text(std::FILE* stream, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  std::fputs(format_arguments(format, fmt::make_format_args(arguments...)).c_str(), stream);
}

}  // namespace dualgpuopt::memory
