// A pattern, a line feed, and a name: an error that says where, or an answer, in little time and no deeper than
// allowed.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "models/name_pattern.h"

namespace {

using namespace dualgpuopt::memory;

constexpr std::size_t kLongestName = 128;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto end = std::min(text.find('\n'), size);
  const auto name = end == size ? std::string_view() : text.substr(end + 1, kLongestName);
  const auto pattern = NamePattern::parse(text.substr(0, end));
  if (!pattern) {
    require(pattern.error().code() == ErrorCode::InvalidArgument, "the error is of the argument");
    require(pattern.error().message().size() < 200, "the error is a short sentence");
    return 0;
  }
  require(pattern->is_found_in(name) == pattern->is_found_in(name), "an answer stays the same");
  return 0;
}
