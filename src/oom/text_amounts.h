// Amounts of memory in the text of a log.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// The amount that follows `words`: "26.00 MiB", "2.99GiB", "0 bytes", "8,589,934,592 bytes", "144", which are bytes.
/// MB and the like count as MiB, as frameworks mean them. Empty when there is none, or none that fits in 64 bits.
[[nodiscard]] std::optional<Bytes> amount_after(std::string_view text, std::string_view words);
/// The amount that stands directly before `words`, with its unit.
[[nodiscard]] std::optional<Bytes> amount_before(std::string_view text, std::string_view words);
/// The number that follows `words`; no unit is looked for.
[[nodiscard]] std::optional<double> number_after(std::string_view text, std::string_view words);
[[nodiscard]] std::optional<std::uint64_t> whole_after(std::string_view text, std::string_view words);

/// What follows `words`; empty where they are not there.
[[nodiscard]] std::string_view rest_after(std::string_view text, std::string_view words);

[[nodiscard]] inline bool has(std::string_view text, std::string_view words) {
  return text.find(words) != std::string_view::npos;
}

}  // namespace dualgpuopt::memory
