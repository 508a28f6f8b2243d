#include "dualgpuopt/memory/metrics/level.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(Level, RisesTowardsRunningOut) {
  EXPECT_LT(Level::Normal, Level::Warning);
  EXPECT_LT(Level::Warning, Level::Critical);
  EXPECT_LT(Level::Critical, Level::Emergency);
}

TEST(Level, IsReadBackFromItsName) {
  for (const auto level : {Level::Normal, Level::Warning, Level::Critical, Level::Emergency}) {
    EXPECT_EQ(parse_level(to_string(level)), level);
  }
  EXPECT_EQ(to_string(Level::Emergency), "emergency");
  EXPECT_EQ(parse_level("WARNING"), Level::Warning);
}

TEST(Level, RefusesOtherNamesAndListsItsOwn) {
  EXPECT_EQ(parse_level("hot").error().message(),
            "cannot read \"hot\" as a level; expected normal, warning, critical or emergency");
}

}  // namespace
}  // namespace dualgpuopt::memory
