#include "models/largest.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(Largest, IsFoundWhereverItLies) {
  for (std::uint64_t limit = 0; limit <= 20; ++limit) {
    EXPECT_EQ(last_that(1, 20, [&](std::uint64_t n) { return n <= limit; }), limit);
  }
}

TEST(Largest, IsTheEndWhereAllSuffice) {
  EXPECT_EQ(last_that(5, 7, [](std::uint64_t) { return true; }), 7U);
  EXPECT_EQ(last_that(5, 7, [](std::uint64_t) { return false; }), 4U);
}

}  // namespace
}  // namespace dualgpuopt::memory
