// The scenarios that come with the library (src/sources/builtin_scenarios.cpp).
#include <gmock/gmock.h>

#include <optional>

#include "dualgpuopt/memory/sources/simulated.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

constexpr Duration kLap = 130s;
constexpr int kLaps = 5;

/// The demo read every 100 ms, like a watch that runs much faster than usual.
class DemoScenario : public ::testing::Test {
 protected:
  MemoryUse memory_at(int gpu, Duration time) {
    clock_.advance_to(MonoTime(time));
    return *source_.read(gpu, ReadDetail::Memory).memory;
  }
  double percent_at(int gpu, Duration time) { return *memory_at(gpu, time).occupied_percent(); }

  /// The first time from `from` on at which the GPU is that full.
  std::optional<Duration> reached(int gpu, double percent, Duration from) {
    for (auto time = from; time < from + kLap; time += 100ms) {
      if (percent_at(gpu, time) >= percent) return time - from;
    }
    return std::nullopt;
  }

  VirtualClock clock_;
  SimulatedSource source_{builtin_scenario("demo").value(), clock_};
};

TEST(BuiltinScenario, KnowsTheNamesItLists) {
  EXPECT_THAT(builtin_scenario_names(), ElementsAre("demo"));
  for (const auto name : builtin_scenario_names()) EXPECT_TRUE(builtin_scenario(name)) << name;
}

TEST(BuiltinScenario, SaysWhatThereIsInstead) {
  const auto scenario = builtin_scenario("dmeo");
  ASSERT_FALSE(scenario);
  EXPECT_EQ(scenario.error().code(), ErrorCode::NotFound);
  EXPECT_EQ(scenario.error().message(), "there is no built-in scenario \"dmeo\"; there is demo");
}

TEST_F(DemoScenario, RepeatsOnTwoGpusOf24GiB) {
  const auto& scenario = source_.scenario();
  EXPECT_EQ(scenario.repeat_every, kLap);
  ASSERT_EQ(scenario.devices.size(), 2U);
  for (const auto& device : scenario.devices) EXPECT_EQ(device.total, 24_GiB);
}

TEST_F(DemoScenario, KeepsTrainingBusyAndOutOfEveryAlert) {
  for (int lap = 0; lap < kLaps; ++lap) {
    for (auto time = 14s + 0ms; time < 128s; time += 100ms) {
      const auto percent = percent_at(0, lap * kLap + time);
      ASSERT_GE(percent, 60) << "lap " << lap << " at " << time.count() << " ms";
      ASSERT_LE(percent, 75) << "lap " << lap << " at " << time.count() << " ms";
    }
  }
}

TEST_F(DemoScenario, TakesTheModelServerThroughEveryLevelInTime) {
  for (int lap = 0; lap < kLaps; ++lap) {
    const auto start = lap * kLap;
    const auto warning = reached(1, 80, start);
    clock_.advance_to(MonoTime(start));
    const auto critical = reached(1, 90, start + warning.value());
    const auto emergency = reached(1, 95, start + *warning + critical.value());
    const auto until_critical = *warning + *critical;
    const auto until_emergency = until_critical + emergency.value();
    EXPECT_GT(*warning, 40s) << "a forecast wants some past first";
    EXPECT_GT(*critical, 10s);
    EXPECT_GT(*emergency, 3s);
    EXPECT_LT(until_emergency, 110s);
  }
}

TEST_F(DemoScenario, LoadsTheModelIn15Seconds) {
  EXPECT_LT(memory_at(1, 0s).used, 2_GiB);
  EXPECT_GE(memory_at(1, 15s).used, 14_GiB);
  EXPECT_LT(percent_at(1, 20s), 65);
}

TEST_F(DemoScenario, FillsTheGpuThenGivesTheMemoryBack) {
  EXPECT_EQ(memory_at(1, 121s).free, 0_B);
  EXPECT_LT(percent_at(1, 122s), 10);
  EXPECT_LT(percent_at(1, kLap), 10);
}

}  // namespace
}  // namespace dualgpuopt::memory
