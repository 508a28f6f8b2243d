#include "recovery/victim_rules.h"

#include <gtest/gtest.h>

#include "recovery/victim_facts_maker.h"

namespace dualgpuopt::memory {
namespace {

// tests/recovery/wrong_victims.cpp has each rule at work; here are those that it cannot reach.

std::string obstacle(const testing::FactsMaker& made) {
  return obstacle_to_ending(made.facts.listed.front(), made.facts, {});
}

TEST(VictimRules, LetWhatNothingSpeaksAgainst) {
  testing::FactsMaker made;
  made.list(10, 1_GiB);
  EXPECT_EQ(obstacle(made), "");
}

TEST(VictimRules, LetNobodyWhoseBytesAreNotKnown) {
  testing::FactsMaker made;
  made.list(10, std::nullopt);
  EXPECT_EQ(obstacle(made), "the driver does not say what it holds");
}

TEST(VictimRules, LetOnlyWhatWasAskedForWhereSomethingWas) {
  testing::FactsMaker made;
  made.list(10, 1_GiB);
  VictimPolicy policy;
  policy.only = {{PatternField::Command, "train*"}, {PatternField::Command, "pyth*"}};
  EXPECT_EQ(obstacle_to_ending(made.facts.listed.front(), made.facts, policy), "");
  policy.only.pop_back();
  EXPECT_EQ(obstacle_to_ending(made.facts.listed.front(), made.facts, policy),
            "it is not one of those that were asked for");
}

TEST(VictimRules, LetNobodyWithoutAStartTime) {
  testing::FactsMaker made;
  made.list(10, 1_GiB);
  made.facts.listed.front().start_ticks.reset();
  EXPECT_EQ(obstacle(made), "when it started is not known");
}

TEST(VictimRules, LetNobodyWhereOurRightsAreNotKnown) {
  testing::FactsMaker made;
  made.list(10, 1_GiB);
  made.facts.rights.reset();
  EXPECT_EQ(obstacle(made), "our own rights are not known");
}

TEST(VictimRules, SayWhyOneCouldNotBeRead) {
  testing::FactsMaker made;
  made.list(10, 1_GiB);
  made.facts.processes.clear();
  EXPECT_EQ(obstacle(made), "nothing is known of it");
  made.facts.unreadable[10] = "cannot read /proc/10/stat";
  EXPECT_EQ(obstacle(made), "cannot read /proc/10/stat");
}

}  // namespace
}  // namespace dualgpuopt::memory
