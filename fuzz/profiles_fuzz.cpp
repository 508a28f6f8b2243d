// Any bytes as a file of profiles: an error that names a place, or profiles that can be written and read as the same.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "dualgpuopt/memory/profiles/profile_file.h"

namespace {

using namespace dualgpuopt::memory;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

void check_error(const Error& error) {
  require(error.code() == ErrorCode::ParseFailed, "the error is of parsing");
  require(error.describe().starts_with("line ") && error.describe().size() < 600, "the error is short and has a place");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto profiles = parse_profiles({reinterpret_cast<const char*>(data), size}, {.profiles = 50});
  if (!profiles) {
    check_error(profiles.error());
    return 0;
  }
  require(profiles->size() <= 50, "limits hold");
  const auto text = format_profiles(*profiles);
  require(text.has_value(), "what was read can be written");
  const auto again = parse_profiles(*text);
  require(again.has_value() && *again == *profiles, "and is read as the same");
  for (const auto& stored : *profiles) (void)stored.profile.max_batch_size(stored.profile.base, size);
  return 0;
}
