#include "dualgpuopt/memory/recovery/terminate_policy.h"

#include <gmock/gmock.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

template <typename Change>
std::string complaint(Change change) {
  TerminatePolicy policy;
  change(policy);
  const auto valid = policy.validate();
  return valid ? "none" : valid.error().message();
}

TEST(TerminatePolicy, IsOffAndADryRunAsItComes) {
  const TerminatePolicy policy;
  EXPECT_FALSE(policy.enabled);
  EXPECT_EQ(policy.mode, ActionMode::DryRun);
  EXPECT_TRUE(policy.validate());
}

TEST(TerminatePolicy, WaitsNoLongerThanHalfAMinute) {
  EXPECT_EQ(complaint([](auto& p) { p.wait = 31s; }), "terminate.wait is 31 s; expected at most 30 s");
  EXPECT_THAT(complaint([](auto& p) { p.grace = 2h; }), HasSubstr("terminate.grace"));
  EXPECT_THAT(complaint([](auto& p) { p.pre_hook_limit = 2h; }), HasSubstr("pre_hook_limit"));
  EXPECT_THAT(complaint([](auto& p) { p.growth_window = -1s; }), HasSubstr("growth_window"));
  EXPECT_THAT(complaint([](auto& p) { p.victims.order = {}; }), HasSubstr("terminate.order"));
}

TEST(TerminatePolicy, KnowsHowLongAVictimMayTake) {
  TerminatePolicy policy;
  EXPECT_EQ(policy.longest_victim(), 67s) << "5 of grace, 30 for the exit, 30 for the memory, 2 for looking";
  policy.pre_hook = "save";
  EXPECT_EQ(policy.longest_victim(), 72s);
  policy.victims.order.push_back(VictimOrder::FastestGrowing);
  EXPECT_EQ(policy.longest_victim(), 73s);
}

}  // namespace
}  // namespace dualgpuopt::memory
