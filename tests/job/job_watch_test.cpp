#include "job/job_watch.h"

#include <gmock/gmock.h>

#include "job/readings.h"

namespace dualgpuopt::memory::job {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

MemoryAlert alert(Level level, AlertEvent event = AlertEvent::Raised) {
  MemoryAlert made;
  made.level = level;
  made.event = event;
  made.gpu = 1;
  made.memory.used = 22_GiB;
  return made;
}

class JobWatchTest : public ::testing::Test {
 protected:
  std::vector<PressureCause> runs() {
    std::vector<PressureCause> causes;
    for (const auto& action : watch_.take_actions()) {
      if (const auto* run = std::get_if<RunPressureCommand>(&action)) causes.push_back(run->cause);
    }
    return causes;
  }
  void exceed_budget() {
    watch_.take(holding(2_GiB, 1s), MonoTime(1s));
    watch_.take(holding(2_GiB, 2s), MonoTime(2s));
  }

  JobWatch watch_{{{1_GiB, {}}, 5s, true}};
};

TEST_F(JobWatchTest, ACriticalDeviceRunsTheCommand) {
  watch_.take(alert(Level::Critical));
  const auto causes = runs();
  ASSERT_EQ(causes.size(), 1U);
  EXPECT_EQ(causes[0].gpu, 1);
  EXPECT_EQ(causes[0].used, 22_GiB);
  EXPECT_FALSE(causes[0].budget);
  EXPECT_EQ(causes[0].reason, "critical");
  EXPECT_FALSE(watch_.has_terminated());
}

TEST_F(JobWatchTest, SoDoesAForecast) {
  auto warning = alert(Level::Warning);
  warning.reached_by = ThresholdKind::TimeToOom;
  watch_.take(warning);
  EXPECT_EQ(runs().at(0).reason, "forecast");
}

TEST_F(JobWatchTest, WarningsAndEndsAreNoPressure) {
  watch_.take(alert(Level::Warning));
  watch_.take(alert(Level::Critical, AlertEvent::Cleared));
  EXPECT_TRUE(watch_.take_actions().empty());
  EXPECT_EQ(watch_.pressures(), 0U);
}

TEST_F(JobWatchTest, NeverTwoAtOnce) {
  watch_.take(alert(Level::Critical));
  watch_.take(alert(Level::Emergency));
  EXPECT_EQ(runs().size(), 1U);
  EXPECT_EQ(watch_.pressures(), 2U);
  EXPECT_EQ(watch_.pressure_runs(), 1U);
  watch_.pressure_command_ended(MonoTime(3s));
  EXPECT_TRUE(runs().empty()) << "what came meanwhile is old";
}

TEST_F(JobWatchTest, TheBudgetsWaitsUntilTheDevicesHasEnded) {
  watch_.take(alert(Level::Critical));
  exceed_budget();
  EXPECT_EQ(runs().size(), 1U);
  watch_.pressure_command_ended(MonoTime(3s));
  const auto causes = runs();
  ASSERT_EQ(causes.size(), 1U);
  EXPECT_EQ(causes[0].reason, "budget");
  EXPECT_EQ(causes[0].budget, 1_GiB);
  watch_.take(holding(2_GiB, 20s), MonoTime(20s));
  EXPECT_FALSE(watch_.has_terminated()) << "its own has not ended";
  watch_.pressure_command_ended(MonoTime(21s));
  watch_.take(holding(2_GiB, 26s), MonoTime(26s));
  EXPECT_TRUE(watch_.has_terminated());
}

TEST_F(JobWatchTest, OfASimulationTheCommandDoesNotRun) {
  auto simulated = alert(Level::Critical);
  simulated.provenance = Provenance::Simulated;
  watch_.take(simulated);
  const auto actions = watch_.take_actions();
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_THAT(std::get<Notice>(actions[0]).text, HasSubstr("the pressure command is not run"));
}

TEST_F(JobWatchTest, WithoutABudgetOnlyDevicesAreWatched) {
  JobWatch watch({{}, 5s, false});
  watch.take(holding(2_GiB, 1s), MonoTime(1s));
  watch.take(holding(2_GiB, 2s), MonoTime(2s));
  watch.take(alert(Level::Emergency));
  watch.let_pass(MonoTime(100s));
  EXPECT_TRUE(watch.take_actions().empty());
  EXPECT_EQ(watch.pressures(), 1U);
  EXPECT_FALSE(watch.terminated_for());
}

TEST_F(JobWatchTest, LooksOftenAtYoungJobsAndNearTheBudget) {
  EXPECT_EQ(watch_.wanted_pace(0s, MonoTime(0s)), 100ms);
  EXPECT_EQ(watch_.wanted_pace(10s, MonoTime(10s)), 1s);
  EXPECT_EQ(watch_.wanted_pace(1h, MonoTime(1h)), 2s);
  EXPECT_EQ(JobWatch({}).wanted_pace(1h, MonoTime(1h)), 5s);
  watch_.take(holding(973_MiB, 1s), MonoTime(1s));
  EXPECT_EQ(watch_.wanted_pace(1h, MonoTime(1h)), 250ms);
}

}  // namespace
}  // namespace dualgpuopt::memory::job
