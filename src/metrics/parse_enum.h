// Reading the names of enumerators as people write them; private to the library.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {

/// True if both texts are equal but for the case of ASCII letters, whatever the locale.
[[nodiscard]] bool equal_in_any_case(std::string_view left, std::string_view right);

/// `cannot read "hot" as a level; expected normal, warning, critical or emergency`. Long text is cut, and what a
/// terminal could act on is shown as "?".
[[nodiscard]] Error unknown_name(std::string_view text, std::string_view what,
                                 const std::vector<std::string_view>& names);

/// The one of `values` whose to_string() is `text` in any letter case; else ParseFailed, which lists the names.
/// `what` is the kind of thing with its article, as in "a level".
template <typename Enum, std::size_t kCount>
[[nodiscard]] Result<Enum> parse_enum(std::string_view text, std::string_view what,
                                      const std::array<Enum, kCount>& values) {
  std::vector<std::string_view> names;
  for (const Enum value : values) {
    if (equal_in_any_case(to_string(value), text)) return value;
    names.push_back(to_string(value));
  }
  return fail(unknown_name(text, what, names));
}

}  // namespace dualgpuopt::memory
