// The lines of a recording: cutting them, reading their numbers, and saying what is wrong with them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// One line, without blanks at its ends and without its line feed.
struct TraceLine {
  std::size_t number = 0;  ///< From 1, blank lines counted.
  std::string_view text;
  bool complete = true;  ///< False when the recording ended before the line feed.
};

/// Goes through the lines of a text that outlives it; blank lines are passed over.
class TraceLines {
 public:
  explicit TraceLines(std::string_view text) : rest_(text) {}
  /// Empty after the last line.
  [[nodiscard]] std::optional<TraceLine> next();

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

/// Without blanks, tabs and carriage returns at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// The trimmed fields of a row, cut at commas; `fields` is overwritten, so that a loop can use one vector.
void split_fields(std::string_view row, std::vector<std::string_view>& fields);

/// A whole number below 2^63 that fills the text.
[[nodiscard]] std::optional<Bytes> parse_whole_number(std::string_view text);

/// Times in recordings lie within this many seconds (140 years) of 0, so that the difference of two fits in 64 bits of
/// nanoseconds.
inline constexpr double kLongestSeconds = 140.0 * 366 * 86400;

/// GPU indices in recordings lie below this: far above any machine, and small enough for tables by index.
inline constexpr int kGpuLimit = 1024;
inline constexpr std::string_view kExpectedGpu = "a GPU index from 0 to 1023";
[[nodiscard]] std::optional<int> parse_gpu_index(std::string_view text);

/// ParseFailed: `line 7: cannot read "x" as the GPU index: expected …`.
[[nodiscard]] tl::unexpected<Error> refuse(const TraceLine& line, std::string_view text, std::string_view what,
                                           std::string_view expected);

}  // namespace dualgpuopt::memory
