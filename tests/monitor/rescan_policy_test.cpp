#include "monitor/rescan_policy.h"

#include <gtest/gtest.h>

#include <vector>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

TEST(RescanPolicy, LooksAgainEveryInterval) {
  RescanPolicy policy(5min, MonoTime(10s));
  EXPECT_FALSE(policy.is_due(MonoTime(10s), true));
  EXPECT_FALSE(policy.is_due(MonoTime(309s), true));
  EXPECT_TRUE(policy.is_due(MonoTime(310s), true));
  EXPECT_FALSE(policy.is_due(MonoTime(311s), true)) << "counted from the last time";
  EXPECT_TRUE(policy.is_due(MonoTime(610s), true));
}

/// The seconds at which it looks while one device cannot be read from `from` to before `to`.
std::vector<long> looks(RescanPolicy& policy, long from, long to) {
  std::vector<long> seconds;
  for (long second = from; second < to; ++second) {
    if (policy.is_due(MonoTime(std::chrono::seconds(second)), false)) seconds.push_back(second);
  }
  return seconds;
}

TEST(RescanPolicy, LooksAtOnceWhenADeviceFailsAndThenMoreAndMoreSeldom) {
  RescanPolicy policy(5min, MonoTime());
  EXPECT_EQ(looks(policy, 20, 260), (std::vector<long>{20, 21, 23, 27, 35, 51, 83, 143, 203}));
}

TEST(RescanPolicy, StartsOverWithTheNextFailure) {
  RescanPolicy policy(5min, MonoTime());
  EXPECT_EQ(looks(policy, 20, 30), (std::vector<long>{20, 21, 23, 27}));
  EXPECT_FALSE(policy.is_due(MonoTime(31s), true));
  EXPECT_EQ(looks(policy, 32, 36), (std::vector<long>{32, 33, 35}));
}

TEST(RescanPolicy, NeverLooksLessOftenWhileADeviceFails) {
  RescanPolicy policy(3s, MonoTime());
  EXPECT_EQ(looks(policy, 1, 13), (std::vector<long>{1, 2, 4, 7, 10}));
}

TEST(RescanPolicy, LooksWhenAskedTo) {
  RescanPolicy policy(5min, MonoTime());
  policy.ask();
  EXPECT_TRUE(policy.is_due(MonoTime(1s), true));
  EXPECT_FALSE(policy.is_due(MonoTime(2s), true)) << "once";
}

}  // namespace
}  // namespace dualgpuopt::memory
