// Regular expressions over the names of tensors, matched in linear time whatever they are.
#pragma once

#include <bitset>
#include <cstddef>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {

/// What std::regex has by default, as llama.cpp takes it: characters, `.`, classes such as [0-9] and [^a], \d \w \s and
/// their opposites, groups, `|`, `* + ? {n} {n,} {n,m}` with or without `?` behind them, `^` and `$`. Not what needs
/// backtracking: references to groups and looking ahead; nor \b and [:names:]. All places are tried at once (Thompson's
/// construction), so that no pattern takes longer than its states times the name, and none takes the stack.
class NamePattern {
 public:
  static constexpr std::size_t kLongest = 4096;     ///< Bytes of a pattern,
  static constexpr std::size_t kMostStates = 2048;  ///< and what it becomes with its repetitions written out.

  /// Error: InvalidArgument with the place in the pattern and what is wrong there.
  [[nodiscard]] static Result<NamePattern> parse(std::string_view pattern);

  /// Whether any part of the name matches.
  [[nodiscard]] bool is_found_in(std::string_view name) const;

  /// A step of the machine: a character of a set, two ways on, a place, or the end.
  struct State {
    enum class Kind { Character, Fork, Begin, End, Match } kind = Kind::Match;
    std::size_t next = 0;
    std::size_t other = 0;      ///< Of a Fork.
    std::bitset<256> set = {};  ///< Of a Character.
  };

 private:
  NamePattern(std::vector<State> states, std::size_t start) : states_(std::move(states)), start_(start) {}

  std::vector<State> states_;
  std::size_t start_;
};

}  // namespace dualgpuopt::memory
