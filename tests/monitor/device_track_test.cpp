#include "monitor/device_track.h"

#include <gtest/gtest.h>

#include <thread>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRecovery = 10s;

Reading reading_at(Duration time, Bytes used) {
  return {0, {MonoTime(time), {}}, Provenance::Driver, MemoryUse::from_used_and_total(used, 24_GiB), {}, nullptr};
}

class DeviceTrackTest : public ::testing::Test {
 protected:
  MonitorConfig config_;
  DeviceTrack track_{{0, "gpu-0", "GPU", {}, {}, {}, {}, {}}, Provenance::Driver, config_};
};

TEST_F(DeviceTrackTest, IsUnavailableBeforeTheFirstReading) {
  const auto shot = track_.snapshot(MonoTime(0s), 2s);
  EXPECT_EQ(shot.status, DeviceStatus::Unavailable);
  EXPECT_EQ(shot.reason, "not read yet");
  EXPECT_FALSE(shot.reading.ok());
  EXPECT_TRUE(shot.is_awaited);
  track_.set_silence("the driver has not answered for 3 s");
  EXPECT_FALSE(track_.snapshot(MonoTime(3s), 2s).is_awaited) << "given up";
}

TEST_F(DeviceTrackTest, TakesOnlyWhatIsNews) {
  EXPECT_TRUE(track_.take(reading_at(1s, 2_GiB), kRecovery).fresh);
  EXPECT_FALSE(track_.take(reading_at(1s, 3_GiB), kRecovery).fresh);
  EXPECT_FALSE(track_.take(reading_at(0s, 3_GiB), kRecovery).fresh);
  EXPECT_EQ(track_.last_good().memory->used, 2_GiB);
  EXPECT_TRUE(track_.take(reading_at(2s, 3_GiB), kRecovery).fresh);
  EXPECT_EQ(track_.snapshot(MonoTime(2s), 2s).peak_used, 3_GiB);
}

TEST_F(DeviceTrackTest, GoesStaleByAgeAndSaysSo) {
  (void)track_.take(reading_at(1s, 2_GiB), kRecovery);
  EXPECT_EQ(track_.snapshot(MonoTime(2s), 2500ms).status, DeviceStatus::Ok);
  const auto stale = track_.snapshot(MonoTime(5s), 2500ms);
  EXPECT_EQ(stale.status, DeviceStatus::Stale);
  EXPECT_EQ(stale.reason, "no reading for 4 s");
  EXPECT_EQ(stale.reading.memory->used, 2_GiB);
}

TEST_F(DeviceTrackTest, ShowsNoNumbersWhenTheDriverRefuses) {
  (void)track_.take(reading_at(1s, 2_GiB), kRecovery);
  (void)track_.take(Reading::unavailable(0, {MonoTime(2s), {}}, Provenance::Driver, "GPU is lost"), kRecovery);
  const auto shot = track_.snapshot(MonoTime(2s), 2500ms);
  EXPECT_EQ(shot.status, DeviceStatus::Unavailable);
  EXPECT_EQ(shot.reason, "GPU is lost");
  EXPECT_FALSE(shot.reading.ok());
  EXPECT_FALSE(shot.forecast);
  EXPECT_TRUE(track_.take(reading_at(3s, 2_GiB), kRecovery).fresh);
  EXPECT_EQ(track_.snapshot(MonoTime(3s), 2500ms).status, DeviceStatus::Ok);
}

TEST_F(DeviceTrackTest, IsStaleAtOnceWhenTheDriverIsSilent) {
  (void)track_.take(reading_at(1s, 2_GiB), kRecovery);
  track_.set_silence("the driver has not answered for 3 s");
  EXPECT_EQ(track_.snapshot(MonoTime(1s), 2500ms).status, DeviceStatus::Stale);
  (void)track_.take(reading_at(2s, 2_GiB), kRecovery);
  EXPECT_EQ(track_.snapshot(MonoTime(2s), 2500ms).status, DeviceStatus::Ok);
}

TEST_F(DeviceTrackTest, RaisesTheAlertOfItsReading) {
  const auto intake = track_.take(reading_at(1s, 20_GiB), kRecovery);
  ASSERT_TRUE(intake.alert);
  EXPECT_EQ(intake.alert->level, Level::Warning);
  EXPECT_EQ(track_.level(), Level::Warning);
  EXPECT_EQ(track_.snapshot(MonoTime(1s), 2s).level, Level::Warning);
}

TEST_F(DeviceTrackTest, AsksForProcessesAtTheirOwnPace) {
  EXPECT_TRUE(track_.wants_processes(MonoTime(0s)));
  auto reading = reading_at(1s, 2_GiB);
  reading.processes = std::make_shared<ProcessList>(ProcessList{reading.time, {}, {}});
  (void)track_.take(reading, kRecovery);
  EXPECT_FALSE(track_.wants_processes(MonoTime(5s)));
  EXPECT_TRUE(track_.wants_processes(MonoTime(6s)));
  EXPECT_EQ(track_.snapshot(MonoTime(6s), 10s).processes, reading.processes);
}

TEST(DeviceTrack, MeasuresByAnInventedCapacityWhenTold) {
  MonitorConfig config;
  config.capacity = 10_GiB;
  DeviceTrack track({0, "gpu-0", "GPU", {}, {}, {}, {}, {}}, Provenance::Replayed, config);
  (void)track.take(reading_at(1s, 11_GiB), kRecovery);
  const auto shot = track.snapshot(MonoTime(1s), 2s);
  EXPECT_EQ(shot.level, Level::Emergency);
  EXPECT_EQ(shot.reading.memory->total, 10_GiB);
  EXPECT_EQ(shot.reading.memory->used, 11_GiB);
  EXPECT_EQ(shot.forecast->risk, 1.0);
}

TEST(DeviceTrackOfAPartitionedGpu, IsShownAndNotJudged) {
  const MonitorConfig config;
  DeviceTrack track({0, "gpu-0", "GPU", {}, {}, {}, {}, DeviceKind::Partitioned}, Provenance::Driver, config);
  const auto intake = track.take(reading_at(1s, 24_GiB), kRecovery);
  EXPECT_TRUE(intake.fresh);
  EXPECT_FALSE(intake.alert);
  EXPECT_EQ(track.level(), Level::Normal);
  const auto shot = track.snapshot(MonoTime(1s), 2s);
  EXPECT_EQ(shot.reading.memory->used, 24_GiB);
  EXPECT_FALSE(shot.forecast);
}

TEST_F(DeviceTrackTest, StopsJudgingAGpuThatWasPartitioned) {
  EXPECT_TRUE(track_.take(reading_at(1s, 2_GiB), kRecovery).fresh);
  track_.describe({0, "gpu-0", "GPU", {}, {}, {}, {}, DeviceKind::Partitioned});
  EXPECT_FALSE(track_.take(reading_at(2s, 24_GiB), kRecovery).alert);
  EXPECT_FALSE(track_.snapshot(MonoTime(2s), 2s).forecast);
}

Reading with_xid(Reading reading, std::uint64_t code) {
  reading.events = {{reading.time, DeviceEventKind::Xid, code}};
  return reading;
}

TEST_F(DeviceTrackTest, TellsWithAnAlertWhatTheDriverReported) {
  (void)track_.take(with_xid(Reading::unavailable(0, {MonoTime(1s), {}}, Provenance::Driver, "lost"), 79), kRecovery);
  const auto intake = track_.take(with_xid(reading_at(2s, 23_GiB), 63), kRecovery);
  ASSERT_TRUE(intake.alert);
  ASSERT_EQ(intake.alert->events.size(), 2U);
  EXPECT_EQ(intake.alert->events[0].code, 79U);
  EXPECT_EQ(intake.alert->events[1].code, 63U);
  EXPECT_EQ(track_.snapshot(MonoTime(2s), 2s).events, intake.alert->events);
}

TEST_F(DeviceTrackTest, RemembersTheNewestEventsOnly) {
  for (int i = 0; i < 20; ++i)
    (void)track_.take(with_xid(reading_at(std::chrono::seconds(i), 1_GiB), 100U + static_cast<unsigned>(i)), kRecovery);
  const auto events = track_.snapshot(MonoTime(20s), 2s).events;
  ASSERT_EQ(events.size(), 8U);
  EXPECT_EQ(events.front().code, 112U);
  EXPECT_EQ(events.back().code, 119U);
}

TEST(AdaptiveDeviceTrack, MovesTheLevelsWithWhatTheDeviceDoes) {
  MonitorConfig config;
  config.thresholds.adaptive = true;
  DeviceTrack track({0, "gpu-0", "GPU", {}, {}, {}, {}, {}}, Provenance::Driver, config);
  // A server that took 22 GiB of 24 GiB at its start and never moves again: 91.7 %.
  std::vector<MemoryAlert> alerts;
  for (int second = 1; second <= 1800; ++second) {
    auto intake = track.take(reading_at(std::chrono::seconds(second), 22_GiB), kRecovery);
    if (intake.alert) alerts.push_back(std::move(*intake.alert));
  }
  EXPECT_EQ(alerts.front().level, Level::Critical) << "before anything is known of it";
  EXPECT_EQ(track.level(), Level::Warning) << "critical begins at 95 % now";
  const auto thresholds = track.snapshot(MonoTime(1800s), 2s).thresholds;
  ASSERT_EQ(thresholds.size(), 3U);
  EXPECT_EQ(thresholds[1].text(),
            "critical from 95.0% (90.0%): within 20 s use rises by next to nothing above its peak");
}

TEST(AdaptiveDeviceTrack, IsOffUnlessConfigured) {
  const MonitorConfig config;
  DeviceTrack track({0, "gpu-0", "GPU", {}, {}, {}, {}, {}}, Provenance::Driver, config);
  for (int second = 1; second <= 1800; ++second) {
    (void)track.take(reading_at(std::chrono::seconds(second), 22_GiB), kRecovery);
  }
  EXPECT_TRUE(track.snapshot(MonoTime(1800s), 2s).thresholds.empty());
  EXPECT_EQ(track.level(), Level::Critical);
}

}  // namespace
}  // namespace dualgpuopt::memory
