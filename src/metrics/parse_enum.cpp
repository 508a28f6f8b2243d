#include "metrics/parse_enum.h"

#include <algorithm>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

char lower_case(char c) { return (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c; }

/// "a, b or c".
std::string listed(const std::vector<std::string_view>& names) {
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) list += i + 1 == names.size() ? " or " : ", ";
    list += names[i];
  }
  return list;
}

}  // namespace

bool equal_in_any_case(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return lower_case(a) == lower_case(b); });
}

Error unknown_name(std::string_view text, std::string_view what, const std::vector<std::string_view>& names) {
  return {ErrorCode::ParseFailed,
          format_text("cannot read {} as {}; expected {}", in_quotes(text), what, listed(names))};
}

}  // namespace dualgpuopt::memory
