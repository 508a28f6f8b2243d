#include "monitor/interval_policy.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

/// A snapshot of one readable device of 24 GiB with a forecast that foresees nothing.
Snapshot calm() {
  Snapshot snapshot;
  DeviceSnapshot device;
  device.device = std::make_shared<Device>();
  device.status = DeviceStatus::Ok;
  device.reading.memory = MemoryUse::from_used_and_total(6_GiB, 24_GiB);
  device.forecast.emplace();
  snapshot.devices.push_back(device);
  return snapshot;
}

TEST(NextInterval, StretchesStepByStepWhileNothingHappens) {
  const PollingConfig polling;
  EXPECT_EQ(next_interval(polling, calm(), 100ms), 1s);
  EXPECT_EQ(next_interval(polling, calm(), 1s), 2s);
  EXPECT_EQ(next_interval(polling, calm(), 2s), 4s);
  EXPECT_EQ(next_interval(polling, calm(), 4s), 5s);
}

TEST(NextInterval, MeetsAnApproachingEndWithManyReadings) {
  auto snapshot = calm();
  snapshot.devices[0].forecast->time_to_oom = Seconds(60);
  snapshot.devices[0].forecast->time_to_oom_low = Seconds(15);
  EXPECT_EQ(next_interval({}, snapshot, 1s), 500ms);
  snapshot.devices[0].forecast->time_to_oom_low = Seconds(0.5);
  EXPECT_EQ(next_interval({}, snapshot, 1s), 100ms);
  snapshot.devices[0].forecast->time_to_oom_low = Seconds(4000);
  EXPECT_EQ(next_interval({}, snapshot, 5s), 1s);
}

TEST(NextInterval, IsShortestWhenCriticalAndUsualWhenInDoubt) {
  auto snapshot = calm();
  snapshot.devices[0].level = Level::Critical;
  EXPECT_EQ(next_interval({}, snapshot, 5s), 100ms);
  snapshot.devices[0].level = Level::Warning;
  EXPECT_EQ(next_interval({}, snapshot, 5s), 1s);
  snapshot = calm();
  snapshot.devices[0].status = DeviceStatus::Unavailable;
  EXPECT_EQ(next_interval({}, snapshot, 5s), 1s);
  snapshot = calm();
  snapshot.devices[0].forecast->slope_bytes_per_second = 1e7;
  EXPECT_EQ(next_interval({}, snapshot, 5s), 1s);
}

TEST(NextInterval, IsSetByTheMostUrgentDevice) {
  auto snapshot = calm();
  snapshot.devices.push_back(snapshot.devices[0]);
  snapshot.devices[1].level = Level::Emergency;
  EXPECT_EQ(next_interval({}, snapshot, 5s), 100ms);
}

TEST(NextInterval, KeepsAFixedPace) {
  auto snapshot = calm();
  snapshot.devices[0].level = Level::Emergency;
  EXPECT_EQ(next_interval(PollingConfig::fixed(2s), snapshot, 2s), 2s);
}

RC_GTEST_PROP(NextInterval, StaysWithinItsBounds, ()) {
  auto snapshot = calm();
  auto& device = snapshot.devices[0];
  device.level = static_cast<Level>(*rc::gen::inRange(0, 4));
  if (*rc::gen::arbitrary<bool>()) device.forecast->time_to_oom_low = Seconds(*rc::gen::inRange(0, 100'000));
  const PollingConfig polling;
  const auto next = next_interval(polling, snapshot, std::chrono::milliseconds(*rc::gen::inRange(1, 10'000)));
  RC_ASSERT(next >= polling.shortest && next <= polling.longest);
}

}  // namespace
}  // namespace dualgpuopt::memory
