// One error, read from a text as the scanner reads a log.
#pragma once

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "dualgpuopt/memory/oom/oom_scanner.h"

namespace dualgpuopt::memory {

inline std::vector<OomError> scanned(std::string_view text) {
  OomScanner scanner;
  scanner.feed(text);
  return scanner.finish();
}

/// Of a text with exactly one; else an empty error, and the test has failed.
inline OomError only_error(std::string_view text) {
  const auto found = scanned(text);
  EXPECT_EQ(found.size(), 1U) << text;
  return found.size() == 1 ? found.front() : OomError{};
}

/// A size as it is printed, "2.87" of GiB.
constexpr Bytes gib(double amount) { return static_cast<Bytes>(amount * 0x1p30 + 0.5); }
constexpr Bytes mib(double amount) { return static_cast<Bytes>(amount * 0x1p20 + 0.5); }

}  // namespace dualgpuopt::memory
