#include "dualgpuopt/memory/recovery/victim_ranking.h"

#include <gmock/gmock.h>

#include "recovery/victim_facts_maker.h"

namespace dualgpuopt::memory {
namespace {

using enum VictimOrder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VictimRankingTest : public ::testing::Test {
 protected:
  VictimRankingTest() {
    made.list(10, 4_GiB, "old").info.nice = 5;
    made.list(20, 8_GiB, "big");
    made.list(30, 4_GiB, "young").info.nice = 5;
    made.facts.processes[30].info.oom_score_adjustment = 100;
  }

  std::vector<pid_t> order() const {
    std::vector<pid_t> pids;
    for (const auto& victim : rank_victims(made.facts, policy)) pids.push_back(victim.holders.front().pid);
    return pids;
  }

  testing::FactsMaker made;
  VictimPolicy policy;
};

TEST_F(VictimRankingTest, TheLargestFirstAsItComes) {
  const auto ranked = rank_victims(made.facts, policy);
  EXPECT_THAT(order(), ElementsAre(20, 10, 30));
  EXPECT_EQ(ranked[0].candidate.what, "big, PID 20, of alice");
  EXPECT_EQ(ranked[0].candidate.reason, "holds 8.0 GiB");
  EXPECT_EQ(ranked[0].candidate.bytes, 8_GiB);
  EXPECT_EQ(ranked[0].candidate.score, 3);
  EXPECT_EQ(ranked[2].candidate.score, 1);
  EXPECT_THAT(ranked[0].members, ElementsAre(ProcessIdentity{20, 20}));
}

TEST_F(VictimRankingTest, TheNewest) {
  policy.order = {Newest};
  EXPECT_THAT(order(), ElementsAre(30, 20, 10));
}

TEST_F(VictimRankingTest, TheFastestGrowing) {
  policy.order = {FastestGrowing};
  made.facts.growth = {{10, 1e6}, {20, -1e6}};
  EXPECT_THAT(order(), ElementsAre(10, 30, 20)) << "what is not known counts as 0";
}

TEST_F(VictimRankingTest, TheNextOrderDecidesWhereTheOneBeforeFindsNoDifference) {
  policy.order = {Largest, Newest};
  EXPECT_THAT(order(), ElementsAre(20, 30, 10));
  policy.order = {LowestPriority};
  EXPECT_THAT(order(), ElementsAre(30, 10, 20));
  EXPECT_THAT(rank_victims(made.facts, policy)[0].candidate.reason, HasSubstr("nice 5, OOM score adjustment 100"));
}

TEST_F(VictimRankingTest, PreferredBeforeAllAndAvoidedAfterAll) {
  policy.prefer = {{PatternField::Command, "young"}};
  policy.avoid = {{PatternField::Command, "big"}};
  EXPECT_THAT(order(), ElementsAre(30, 10, 20));
  EXPECT_THAT(rank_victims(made.facts, policy)[0].candidate.reason, HasSubstr("preferred by command:young; holds"));
  EXPECT_THAT(rank_victims(made.facts, policy)[2].candidate.reason, HasSubstr("avoided by command:big"));
}

TEST_F(VictimRankingTest, WhoHoldsLessThanTheLeastIsLeftAlone) {
  policy.minimum = 5_GiB;
  const auto ranked = rank_victims(made.facts, policy);
  EXPECT_TRUE(ranked[0].may_be_ended());
  EXPECT_FALSE(ranked[1].may_be_ended());
  EXPECT_EQ(ranked[1].candidate.reason, "it holds 4.0 GiB, and the least is 5.0 GiB");
  EXPECT_FALSE(ranked[1].candidate.score);
}

TEST_F(VictimRankingTest, NobodyHoldsNothing) {
  policy.minimum = 0;
  made.list(40, 0);
  EXPECT_FALSE(rank_victims(made.facts, policy).back().may_be_ended());
}

TEST_F(VictimRankingTest, ThoseThatMayNotBeEndedComeLastTheLargestFirst) {
  made.facts.family = {20};
  made.facts.processes[10].info.name = "sshd";
  EXPECT_THAT(order(), ElementsAre(30, 20, 10));
  EXPECT_THAT(rank_victims(made.facts, policy)[1].members, IsEmpty());
}

TEST_F(VictimRankingTest, AJobCountsTogether) {
  policy.unit = VictimUnit::Group;
  made.facts.processes[30].info.group = 10;
  made.facts.processes[10].job = made.facts.processes[30].job = 10;
  made.list(40, 7_GiB);
  const auto ranked = rank_victims(made.facts, policy);
  EXPECT_THAT(order(), ElementsAre(10, 20, 40)) << "8 GiB in sum, and the lower number";
  EXPECT_EQ(ranked[0].candidate.what, "group 10 of old (2 processes)");
  EXPECT_EQ(ranked[0].members.size(), 2U);
}

TEST_F(VictimRankingTest, AJobWithAStrangerInItsGroupIsNone) {
  policy.unit = VictimUnit::Group;
  made.facts.processes[10].job = 10;
  made.know(11, "stranger").info.group = 10;
  const auto ranked = rank_victims(made.facts, policy);
  EXPECT_EQ(ranked.back().candidate.reason, "PID 11 of its group has not been started by gpumem run");
}

TEST_F(VictimRankingTest, AGroupWithAListedMemberThatMayNotBeEndedIsNone) {
  policy.unit = VictimUnit::Group;
  policy.groups = {*parse_process_pattern("command:launcher")};
  made.facts.processes[10].info.name = "launcher";
  made.facts.processes[30].info.group = 10;
  made.facts.listed[2].kind = ProcessKind::Mps;
  const auto by_mps = rank_victims(made.facts, policy);
  EXPECT_THAT(by_mps.back().candidate.reason, HasSubstr("Multi-Process Service"));
  EXPECT_FALSE(by_mps.back().may_be_ended());
  made.facts.listed[2].kind = ProcessKind::Compute;
  policy.only = policy.groups;
  for (const auto& each : rank_victims(made.facts, policy))
    EXPECT_FALSE(each.may_be_ended()) << "who was not asked for";
}

TEST_F(VictimRankingTest, NamesAreShownWithoutWhatATerminalActsOn) {
  made.facts.listed[1].name = "a\x1b[31m\n";
  EXPECT_EQ(rank_victims(made.facts, policy)[0].candidate.what, "a?[31m?, PID 20, of alice");
}

}  // namespace
}  // namespace dualgpuopt::memory
