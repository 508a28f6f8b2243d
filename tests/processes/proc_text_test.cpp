#include "processes/proc_text.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "processes/proc_fixture.h"

namespace dualgpuopt::memory::proc {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ParseStat, ReadsIdentityNameStateParentAndGroup) {
  const auto stat = parse_stat(fixture::stat_text(
      {.pid = 42, .parent = 7, .name = "python3", .start_ticks = 123'456'789'012, .state = 'R', .group = 40}));
  ASSERT_TRUE(stat) << stat.error().describe();
  EXPECT_EQ(stat->pid, 42);
  EXPECT_EQ(stat->name, "python3");
  EXPECT_EQ(stat->state, ProcessState::Alive);
  EXPECT_EQ(stat->parent, 7);
  EXPECT_EQ(stat->group, 40);
  EXPECT_EQ(stat->start_ticks, 123'456'789'012U);
}

TEST(ParseStat, ReadsPriorityAndKernelThreads) {
  EXPECT_EQ(parse_stat(fixture::stat_text({.nice = -5}))->nice, -5);
  EXPECT_FALSE(parse_stat(fixture::stat_text({}))->is_kernel_thread);
  EXPECT_TRUE(parse_stat(fixture::stat_text({.flags = 0x00208040}))->is_kernel_thread);
}

TEST(ParseStatus, ReadsCapabilities) {
  EXPECT_EQ(parse_status("Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n")->effective_capabilities, 0x1ffffffffffU);
  EXPECT_EQ(parse_status("Uid:\t0\t0\t0\t0\n")->effective_capabilities, 0U);
  EXPECT_EQ(parse_status("Uid:\t0\t0\t0\t0\nCapEff:\tmany\n")->effective_capabilities, 0U);
}

TEST(ParseNumber, ReadsAFileOfOneNumber) {
  EXPECT_EQ(*parse_number("-1000\n"), -1000);
  EXPECT_FALSE(parse_number("")) << "nothing";
  EXPECT_THAT(parse_number("1 2\n").error().message(), HasSubstr("one number"));
}

TEST(ParseStat, SurvivesNamesThatLookLikeTheRestOfTheLine) {
  for (const auto& name : {"a b"s, "(sd-pam)"s, ") Z 1 ("s, "x\n) Z 1 1"s, ""s, " "s, "("s, ")"s, ") R"s}) {
    const auto stat = parse_stat(fixture::stat_text({.pid = 42, .parent = 7, .name = name, .start_ticks = 5}));
    ASSERT_TRUE(stat) << name << ": " << stat.error().describe();
    EXPECT_EQ(stat->name, name);
    EXPECT_EQ(stat->parent, 7);
    EXPECT_EQ(stat->start_ticks, 5U);
  }
}

TEST(ParseStat, TellsZombiesAndTheDeadFromTheLiving) {
  const auto state_of = [](char state) { return parse_stat(fixture::stat_text({.state = state}))->state; };
  for (const char state : "RSDTtIKWP"s) EXPECT_EQ(state_of(state), ProcessState::Alive) << state;
  EXPECT_EQ(state_of('Z'), ProcessState::Zombie);
  EXPECT_EQ(state_of('X'), ProcessState::Dead);
  EXPECT_EQ(state_of('x'), ProcessState::Dead);
}

TEST(ParseStat, SaysWhichFieldIsBad) {
  const auto problem = [](std::string_view text) { return parse_stat(text).error().message(); };
  EXPECT_THAT(problem(""), HasSubstr("field 2 (command name)"));
  EXPECT_THAT(problem("42 python S 1"), HasSubstr("field 2 (command name)"));
  EXPECT_THAT(problem(") 42 ("), HasSubstr("field 2 (command name)"));
  EXPECT_THAT(problem("x (a) S 1 1"), HasSubstr("field 1 (PID)"));
  EXPECT_THAT(problem("42 (a) 7 1 1"), HasSubstr("field 3 (state)"));
  EXPECT_THAT(problem("42 (a) "), HasSubstr("field 3 (state)"));
  EXPECT_THAT(problem("42 (a) S x 1"), HasSubstr("field 4 (parent PID)"));
  EXPECT_THAT(problem("42 (a) S 1"), HasSubstr("field 5 (process group)"));
  EXPECT_THAT(problem("42 (a) S 1 1 1 0\n"), HasSubstr("field 22 (start time)"));
  EXPECT_THAT(problem("99999999999 (a) S 1 1"), HasSubstr("field 1 (PID)"));
}

RC_GTEST_PROP(ParseStat, GivesBackAnyNameAndStart, (const std::string& name, std::uint64_t start)) {
  const auto stat = parse_stat(fixture::stat_text({.pid = 42, .parent = 7, .name = name, .start_ticks = start}));
  RC_ASSERT(stat.has_value());
  RC_ASSERT(stat->name == name);
  RC_ASSERT(stat->start_ticks == start);
}

RC_GTEST_PROP(ProcText, NeverCrashesOnAnyText, (const std::string& text)) {
  static_cast<void>(parse_stat(text));
  static_cast<void>(parse_status(text));
  static_cast<void>(parse_cgroup(text));
  static_cast<void>(parse_namespace_link(text));
  RC_ASSERT(parse_arguments(text).size() <= text.size());
}

TEST(ParseStatus, ReadsTheEffectiveUserAndThePidInEveryNamespace) {
  const auto status = parse_status("Name:\ta\nUid:\t1000\t0\t1000\t1000\nNSpid:\t4242\t17\t1\n");
  ASSERT_TRUE(status) << status.error().describe();
  EXPECT_EQ(status->effective_user, 0U);
  EXPECT_THAT(status->namespaced_pids, ElementsAre(4242, 17, 1));
}

TEST(ParseStatus, HasNoNamespacedPidsOnOldKernels) {
  EXPECT_THAT(parse_status("Uid:\t0\t4294967295\t0\t0\n")->namespaced_pids, IsEmpty());
  EXPECT_EQ(parse_status("Uid:\t0\t4294967295\t0\t0\n")->effective_user, 4294967295U);
}

TEST(ParseStatus, SaysWhichLineIsBad) {
  const auto problem = [](std::string_view text) { return parse_status(text).error().message(); };
  EXPECT_THAT(problem("Name:\ta\n"), HasSubstr("no line \"Uid:\""));
  EXPECT_THAT(problem("Name:\ta\nUid:\t1000\n"), HasSubstr("line 2 (Uid)"));
  EXPECT_THAT(problem("Name:\ta\nUid:\t1000\troot\n"), HasSubstr("line 2 (Uid)"));
  EXPECT_THAT(problem("Uid:\t1\t1\t1\t1\nNSpid:\tx\n"), HasSubstr("line 2 (NSpid)"));
}

TEST(ParseCgroup, TakesTheUnifiedHierarchy) {
  EXPECT_EQ(*parse_cgroup("0::/user.slice/a:b c\n"), "/user.slice/a:b c");
  EXPECT_EQ(*parse_cgroup("12:memory:/old\n1:name=systemd:/old\n0::/\n"), "/");
  EXPECT_EQ(*parse_cgroup("12:memory:/old\n"), "");
  EXPECT_EQ(*parse_cgroup(""), "");
  EXPECT_THAT(parse_cgroup("1:cpu:/\n0::relative\n").error().message(), HasSubstr("line 2"));
}

TEST(ParseArguments, SplitsAtNuls) {
  EXPECT_THAT(parse_arguments("python\0train.py\0--name\0\0"s), ElementsAre("python", "train.py", "--name", ""));
  EXPECT_THAT(parse_arguments("postgres: writer"), ElementsAre("postgres: writer"));
  EXPECT_THAT(parse_arguments(""), IsEmpty());
}

TEST(ParseNamespaceLink, ReadsTheInode) {
  EXPECT_EQ(*parse_namespace_link("pid:[4026531836]"), 4026531836U);
  for (const auto* text : {"", "pid", "pid:[]", "pid:[x]", "pid:[1", "/elsewhere", ":[-1]"}) {
    EXPECT_FALSE(parse_namespace_link(text)) << text;
  }
}

}  // namespace
}  // namespace dualgpuopt::memory::proc
