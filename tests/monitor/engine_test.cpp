#include "monitor/engine.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

Reading reading_of(int gpu, Duration time, Bytes used) {
  return {gpu, {MonoTime(time), {}}, Provenance::Driver, MemoryUse::from_used_and_total(used, 24_GiB), {}, nullptr};
}

class EngineTest : public ::testing::Test {
 protected:
  MonitorConfig config_;
  Engine engine_{{{0, "a", "A", {}, {}, {}, {}, {}}, {1, "b", "B", {}, {}, {}, {}, {}}}, Provenance::Driver, config_};
};

TEST_F(EngineTest, ReportsAlertAndClimbOfTheReadingsOwnDevice) {
  const auto calm = engine_.take(reading_of(0, 1s, 2_GiB));
  ASSERT_TRUE(calm);
  EXPECT_FALSE(calm->alert || calm->climb);
  const auto full = engine_.take(reading_of(1, 1s, 22_GiB));
  ASSERT_TRUE(full && full->alert && full->climb);
  EXPECT_EQ(full->alert->gpu, 1);
  EXPECT_EQ(full->climb->level, Level::Critical);
  EXPECT_EQ(full->climb->reading.memory->used, 22_GiB);
  EXPECT_TRUE(full->climb->forecast);
}

/// 0.2 GiB a second from 2 GiB on, until a climb is called for.
std::optional<ClimbEvidence> climb_on_a_ramp(Engine& engine) {
  for (int second = 1; second < 120; ++second) {
    auto event = engine.take(reading_of(0, std::chrono::seconds(second), 2_GiB + second * (200_MiB)));
    if (event && event->climb) return std::move(event->climb);
  }
  return std::nullopt;
}

TEST_F(EngineTest, CallsForAClimbWhenExhaustionComesSoonerThanRecovery) {
  engine_.set_recovery_time(15s);
  const auto climb = climb_on_a_ramp(engine_);
  ASSERT_TRUE(climb);
  EXPECT_EQ(climb->cause, ClimbCause::Forecast);
  EXPECT_EQ(climb->recovery_time, 15s);
  EXPECT_LT(climb->level, Level::Critical);
  EXPECT_NEAR(climb->forecast->time_to_oom->count(), 20, 1) << "15 s, and 5 s of margin";
}

TEST_F(EngineTest, LeavesForecastsToTheLevelsWhereToldTo) {
  config_.ladder.by_forecast = false;
  const auto climb = climb_on_a_ramp(engine_);
  ASSERT_TRUE(climb);
  EXPECT_EQ(climb->cause, ClimbCause::Level);
  EXPECT_EQ(climb->level, Level::Critical);
}

TEST_F(EngineTest, IgnoresWhatIsNoNewsAndDevicesItDoesNotKnow) {
  (void)engine_.take(reading_of(0, 1s, 2_GiB));
  EXPECT_FALSE(engine_.take(reading_of(0, 1s, 23_GiB)));
  EXPECT_FALSE(engine_.take(reading_of(9, 1s, 23_GiB)));
  EXPECT_FALSE(engine_.take(Reading::unavailable(0, {MonoTime(2s), {}}, Provenance::Driver, "lost")));
}

TEST_F(EngineTest, PublishesAllDevicesInTheirOrder) {
  (void)engine_.take(reading_of(1, 1s, 2_GiB));
  const auto snapshot = engine_.publish({MonoTime(1s), {}}, 1s);
  EXPECT_EQ(snapshot->sequence, 1U);
  ASSERT_EQ(snapshot->devices.size(), 2U);
  EXPECT_EQ(snapshot->devices[0].status, DeviceStatus::Unavailable);
  EXPECT_EQ(snapshot->devices[1].status, DeviceStatus::Ok);
  EXPECT_EQ(engine_.board()->latest(), snapshot);
}

TEST_F(EngineTest, CallsADeviceStaleWithinThreeIntervals) {
  (void)engine_.take(reading_of(0, 1s, 2_GiB));
  EXPECT_EQ(engine_.publish({MonoTime(3s), {}}, 1s)->devices[0].status, DeviceStatus::Ok);
  EXPECT_EQ(engine_.publish({MonoTime(4s), {}}, 1s)->devices[0].status, DeviceStatus::Stale);
}

TEST_F(EngineTest, RaisesNothingOnDataThatIsNotThere) {
  (void)engine_.take(reading_of(0, 1s, 23_GiB));
  engine_.set_silence(0, "the driver has not answered for 3 s");
  EXPECT_EQ(engine_.publish({MonoTime(10s), {}}, 1s)->devices[0].reason, "the driver has not answered for 3 s");
  EXPECT_FALSE(engine_.take(Reading::unavailable(0, {MonoTime(11s), {}}, Provenance::Driver, "lost")));
}

TEST_F(EngineTest, WatchesDevicesThatComeLater) {
  (void)engine_.take(reading_of(0, 1s, 2_GiB));
  engine_.set_devices({{1, "b", "B renamed", {}, {}, {}, {}, {}}, {2, "c", "C", {}, {}, {}, {}, {}}});
  (void)engine_.take(reading_of(2, 2s, 3_GiB));
  const auto snapshot = engine_.publish({MonoTime(2s), {}}, 1s);
  ASSERT_EQ(snapshot->devices.size(), 3U) << "one that is listed no more stays";
  EXPECT_EQ(snapshot->devices[1].device->name, "B renamed");
  EXPECT_EQ(snapshot->devices[2].reading.memory->used, 3_GiB);
  EXPECT_EQ(engine_.directory().devices().size(), 3U);
  EXPECT_EQ(engine_.directory().history(2)->points(HistoryTier::Second, MonoTime::min()).size(), 1U);
}

TEST_F(EngineTest, KnowsWhetherAllCanBeRead) {
  EXPECT_TRUE(engine_.all_can_be_read()) << "nobody has asked yet";
  (void)engine_.take(Reading::unavailable(0, {MonoTime(1s), {}}, Provenance::Driver, "lost"));
  EXPECT_FALSE(engine_.all_can_be_read());
  (void)engine_.take(reading_of(0, 2s, 2_GiB));
  EXPECT_TRUE(engine_.all_can_be_read());
}

}  // namespace
}  // namespace dualgpuopt::memory
