#include "recovery/victim_survey.h"

#include <gmock/gmock.h>

#include "recovery/process_world.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

VictimFacts survey(ProcessWorld& world, const VictimPolicy& policy = {}) {
  const auto reading = world.memory_port()->measure(0, ReadDetail::MemoryAndProcesses);
  return survey_victims(reading, policy, *world.process_port());
}

TEST(SurveyVictims, LooksAtWhomTheDriverLists) {
  ProcessWorld world;
  world.add(10, 1_GiB).user = "alice";
  world.add(11, 0);
  world.add(12, 1_GiB).hides = true;
  const auto facts = survey(world);
  EXPECT_THAT(facts.processes, UnorderedElementsAre(Key(10)));
  EXPECT_EQ(facts.processes.at(10).user, "alice");
  EXPECT_THAT(facts.unreadable.at(12), HasSubstr("may not be looked at"));
  EXPECT_EQ(facts.rights->user, 1000U);
  EXPECT_TRUE(facts.family.contains(1));
}

TEST(SurveyVictims, LooksAtTheMembersOfGroupsThatMayBeUnits) {
  ProcessWorld world;
  world.add(10, 1_GiB).job = 10;
  world.add(11, 0).info.group = 10;
  auto& hidden = world.add(12, 0);
  hidden.info.group = 10;
  hidden.hides = true;
  EXPECT_THAT(survey(world).processes, UnorderedElementsAre(Key(10)));
  VictimPolicy policy;
  policy.unit = VictimUnit::Group;
  const auto facts = survey(world, policy);
  EXPECT_THAT(facts.processes, UnorderedElementsAre(Key(10), Key(11), Key(12)));
  EXPECT_FALSE(facts.processes.at(12).info.pid_namespace) << "who cannot be read is an obstacle";
}

TEST(SurveyVictims, LooksAtNobodyForNumbersThatAreNoDrivers) {
  ProcessWorld world;
  world.provenance = Provenance::Replayed;
  world.add(10, 1_GiB);
  const auto facts = survey(world);
  EXPECT_THAT(facts.processes, IsEmpty());
  EXPECT_THAT(facts.unreadable.at(10), HasSubstr("replayed"));
  EXPECT_FALSE(facts.rights);
}

TEST(GrowthBetween, IsOfTheSameProcess) {
  const auto entry = [](pid_t pid, std::uint64_t start, Bytes used) {
    return ProcessMemory{pid, start, used, ProcessKind::Compute, "", ProcessPresence::Alive};
  };
  const ProcessList first{{MonoTime(1s), {}}, {entry(1, 1, 100), entry(2, 1, 100), entry(3, 1, 100)}, "", ""};
  const ProcessList second{{MonoTime(3s), {}}, {entry(1, 1, 300), entry(2, 9, 300), entry(4, 1, 300)}, "", ""};
  EXPECT_THAT(growth_between(first, second), UnorderedElementsAre(Pair(1, 100)));
  EXPECT_THAT(growth_between(second, first), IsEmpty()) << "time does not run back";
}

TEST(ObstacleToDeviceFiles, WantsToSeeOne) {
  ProcessWorld world;
  world.add(10, 1_GiB);
  world.add(11, 1_GiB).device_open = false;
  EXPECT_EQ(obstacle_to_device_files(10, *world.process_port()), "");
  EXPECT_EQ(obstacle_to_device_files(11, *world.process_port()), "PID 11 has no GPU's device file open");
  EXPECT_THAT(obstacle_to_device_files(12, *world.process_port()), HasSubstr("cannot be seen"));
}

}  // namespace
}  // namespace dualgpuopt::memory
