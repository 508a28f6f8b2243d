#include "daemon/terminate_config.h"

#include <gmock/gmock.h>

#include "dualgpuopt/memory/daemon/config.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TerminateConfig, ReadsEveryKey) {
  const auto config = parse_config(R"(
    [terminate]
    enabled = true
    execute = true
    order = ["lowest_priority", "newest"]
    prefer = ["user:guest"]
    avoid = ["command:*serve*", "cgroup:/system.slice/*"]
    only = ["command:*py*"]
    only_users = ["alice", "1001"]
    never_users = ["bob"]
    minimum = "1GiB"
    unit = "group"
    groups = ["command:torchrun*"]
    protect = ["postgres"]
    grace = "10s"
    wait = "20s"
    pre_hook = "save-work"
    pre_hook_limit = "3s"
    growth_window = "2s"
  )");
  ASSERT_TRUE(config) << config.error().describe();
  const auto& policy = config->terminate;
  EXPECT_TRUE(policy.enabled);
  EXPECT_EQ(policy.mode, ActionMode::Execute);
  EXPECT_THAT(policy.victims.order, ElementsAre(VictimOrder::LowestPriority, VictimOrder::Newest));
  EXPECT_EQ(policy.victims.prefer.front().text(), "user:guest");
  EXPECT_EQ(policy.victims.avoid.back().text(), "cgroup:/system.slice/*");
  EXPECT_EQ(policy.victims.only.front().text(), "command:*py*");
  EXPECT_THAT(policy.victims.only_users, ElementsAre("alice", "1001"));
  EXPECT_THAT(policy.victims.never_users, ElementsAre("bob"));
  EXPECT_EQ(policy.victims.minimum, 1_GiB);
  EXPECT_EQ(policy.victims.unit, VictimUnit::Group);
  EXPECT_EQ(policy.victims.groups.size(), 1U);
  EXPECT_THAT(policy.victims.protect, ElementsAre("postgres"));
  EXPECT_EQ(policy.grace, 10s);
  EXPECT_EQ(policy.wait, 20s);
  EXPECT_EQ(policy.pre_hook, "save-work");
  EXPECT_EQ(policy.pre_hook_limit, 3s);
  EXPECT_EQ(policy.growth_window, 2s);
}

TEST(TerminateConfig, IsOffWithoutItsTable) {
  EXPECT_FALSE(parse_config("")->terminate.enabled);
  EXPECT_EQ(parse_config("[terminate]\nenabled = true\n")->terminate.mode, ActionMode::DryRun);
}

TEST(TerminateConfig, NamesThePlaceOfWhatMakesNoSense) {
  const auto complaint = [](const char* text) { return parse_config(text).error().describe(); };
  EXPECT_THAT(complaint("[terminate]\norder = [\"oldest\"]\n"), HasSubstr("line 2"));
  EXPECT_THAT(complaint("[terminate]\nprefer = [\"guest\"]\n"), HasSubstr("expected user:, command: or cgroup:"));
  EXPECT_THAT(complaint("[terminate]\nunit = \"all\"\n"), HasSubstr("single or group"));
  EXPECT_THAT(complaint("[terminate]\nsignal = 9\n"), HasSubstr("signal"));
  EXPECT_THAT(complaint("[terminate]\nwait = \"1min\"\n"), HasSubstr("terminate.wait is 1 min 00 s"));
  EXPECT_THAT(complaint("[terminate]\nenabled = true\n[ladder]\nverification = \"callback\"\n"),
              HasSubstr("on a callback's word"));
}

}  // namespace
}  // namespace dualgpuopt::memory
