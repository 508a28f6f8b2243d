#include "recovery/victim_units.h"

#include <gtest/gtest.h>

#include "recovery/victim_facts_maker.h"

namespace dualgpuopt::memory {
namespace {

class VictimUnitsTest : public ::testing::Test {
 protected:
  VictimUnitsTest() {
    made.list(10, 1_GiB);
    made.list(11, 1_GiB).info.group = 10;
    made.know(12, "loader").info.group = 10;
    made.list(20, 1_GiB);
    policy.unit = VictimUnit::Group;
  }

  void mark_as_job() {
    for (const auto pid : {10, 11, 12}) made.facts.processes[pid].job = 10;
  }

  testing::FactsMaker made;
  VictimPolicy policy;
};

TEST_F(VictimUnitsTest, AreSingleProcessesWithoutAMarker) {
  const auto units = units_of(made.facts, policy);
  ASSERT_EQ(units.size(), 3U);
  EXPECT_FALSE(units[0].group);
  EXPECT_EQ(units[0].members.size(), 1U);
}

TEST_F(VictimUnitsTest, AJobIsOneWithAllItsMembers) {
  mark_as_job();
  const auto units = units_of(made.facts, policy);
  ASSERT_EQ(units.size(), 2U);
  EXPECT_EQ(units[0].group, 10);
  EXPECT_TRUE(units[0].is_job);
  EXPECT_EQ(units[0].listed.size(), 2U);
  EXPECT_EQ(units[0].members.size(), 3U);
}

TEST_F(VictimUnitsTest, AMarkerOfAnotherGroupMakesNone) {
  made.facts.processes[10].job = 20;
  EXPECT_EQ(units_of(made.facts, policy).size(), 3U);
}

TEST_F(VictimUnitsTest, AreSingleProcessesWhereThePolicySaysSo) {
  mark_as_job();
  policy.unit = VictimUnit::Single;
  EXPECT_EQ(units_of(made.facts, policy).size(), 3U);
}

TEST_F(VictimUnitsTest, AConfiguredGroupNeedsNoMarker) {
  policy.groups = {{PatternField::Command, "python"}};
  const auto units = units_of(made.facts, policy);
  ASSERT_EQ(units.size(), 2U);
  EXPECT_FALSE(units[0].is_job);
  EXPECT_EQ(units[0].members.size(), 3U);
}

TEST_F(VictimUnitsTest, LeaveZombiesOut) {
  mark_as_job();
  made.facts.processes[12].info.state = ProcessState::Zombie;
  EXPECT_EQ(units_of(made.facts, policy)[0].members.size(), 2U);
}

TEST_F(VictimUnitsTest, OfWhoCannotBeReadHaveNoMembers) {
  made.facts.processes.erase(20);
  EXPECT_TRUE(units_of(made.facts, policy).back().members.empty());
}

}  // namespace
}  // namespace dualgpuopt::memory
