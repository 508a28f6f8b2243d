// Reads a regular expression into a tree; see name_pattern.h.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {

struct PatternNode {
  enum class Kind { Set, Sequence, Choice, Repeat, Begin, End } kind = Kind::Sequence;
  std::bitset<256> set = {};            ///< Of a Set.
  std::vector<PatternNode> parts = {};  ///< Of a Sequence or Choice; of a Repeat one.
  std::uint32_t least = 0;              ///< Of a Repeat,
  std::uint32_t most = kAny;

  static constexpr std::uint32_t kAny = ~std::uint32_t{0};
};

/// Error: InvalidArgument with the place, counted from 1, and what is wrong there. Groups nest at most 32 deep.
[[nodiscard]] Result<PatternNode> parse_pattern(std::string_view pattern);

}  // namespace dualgpuopt::memory
