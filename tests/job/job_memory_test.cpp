#include "job/job_memory.h"

#include <gmock/gmock.h>

#include <cmath>

#include "job/readings.h"

namespace dualgpuopt::memory::job {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

ProcessMemory process(pid_t pid, std::optional<Bytes> used, ProcessPresence presence = ProcessPresence::Alive) {
  ProcessMemory memory;
  memory.pid = pid;
  memory.used = used;
  memory.presence = presence;
  return memory;
}

DeviceSnapshot device(int gpu, std::vector<ProcessMemory> processes, Duration at = 1s) {
  DeviceSnapshot shot;
  Device named;
  named.gpu = gpu;
  shot.device = std::make_shared<const Device>(named);
  shot.status = DeviceStatus::Ok;
  shot.processes =
      std::make_shared<const ProcessList>(ProcessList{{MonoTime(at), std::nullopt}, std::move(processes), ""});
  return shot;
}

/// The job's processes are those below 10.
JobMemory sum(std::vector<DeviceSnapshot> devices, Sight sight = Sight::Clear) {
  Snapshot snapshot;
  snapshot.time.mono = MonoTime(9s);
  snapshot.devices = std::move(devices);
  return *add_up(
      snapshot, [](const ProcessMemory& each) { return each.pid < 10; }, sight);
}

TEST(AddUp, TheJobsOwnOverAllGpus) {
  const auto memory = sum({device(0, {process(1, 2_GiB), process(11, 5_GiB)}, 3s), device(1, {process(2, 1_GiB)}, 2s)});
  EXPECT_EQ(memory.used(), 3_GiB);
  EXPECT_EQ(memory.find(1)->used, 1_GiB);
  EXPECT_EQ(memory.find(7), nullptr);
  EXPECT_EQ(memory.time, MonoTime(2s));
  EXPECT_EQ(memory.reason({}), "");
}

TEST(AddUp, WhatIsNotToldIsNotKnown) {
  const auto memory = sum({device(0, {process(1, std::nullopt), process(2, 1_GiB)})});
  EXPECT_EQ(memory.used(), 1_GiB);
  EXPECT_THAT(memory.reason({}), HasSubstr("GPU 0: the driver does not tell"));
  EXPECT_EQ(sum({device(0, {process(11, std::nullopt)})}).reason({}), "") << "somebody else's does not matter";
}

TEST(AddUp, ADeviceThatCannotBeReadIsNotKnown) {
  auto lost = device(1, {process(1, 5_GiB)});
  lost.status = DeviceStatus::Unavailable;
  lost.reason = "lost";
  const auto memory = sum({device(0, {process(1, 1_GiB)}), lost});
  EXPECT_EQ(memory.used(), 1_GiB) << "the old list is no news";
  EXPECT_EQ(memory.reason({}), "GPU 1: lost");
  EXPECT_EQ(memory.reason({std::nullopt, {{0, 2_GiB}}}), "") << "that GPU has no limit";
  EXPECT_EQ(sum({lost}).time, MonoTime(9s)) << "that nothing is known is news of the snapshot's time";
}

TEST(AddUp, NumbersOfAnotherNamespaceMayBeTheJobs) {
  const auto lists = [] { return std::vector{device(0, {process(4711, 1_GiB, ProcessPresence::Unseen)})}; };
  EXPECT_EQ(sum(lists()).reason({}), "");
  EXPECT_THAT(sum(lists(), Sight::OtherNamespace).reason({}), HasSubstr("container"));
}

TEST(AddUp, TheDeadHoldNothing) { EXPECT_EQ(sum({device(0, {process(1, 1_GiB, ProcessPresence::Gone)})}).used(), 0U); }

TEST(AddUp, InASimulationAllCount) {
  auto simulated = device(0, {process(4711, 1_GiB, ProcessPresence::Unseen)});
  simulated.reading.provenance = Provenance::Simulated;
  EXPECT_EQ(sum({simulated}).used(), 1_GiB);
}

TEST(AddUp, APartitionedGpuIsItsInstances) {
  auto parent = device(0, {process(1, 1_GiB)});
  Device partitioned;
  partitioned.kind = DeviceKind::Partitioned;
  parent.device = std::make_shared<const Device>(partitioned);
  EXPECT_EQ(sum({parent, device(1, {process(1, 1_GiB)})}).used(), 1_GiB);
}

TEST(AddUp, WaitsForTheFirstReadings) {
  Snapshot snapshot;
  snapshot.devices.push_back(device(0, {}));
  snapshot.devices[0].is_awaited = true;
  EXPECT_FALSE(add_up(
      snapshot, [](const ProcessMemory&) { return true; }, Sight::Clear));
}

TEST(Tightest, IsTheLimitWithTheLargestShare) {
  const JobMemory memory{MonoTime(1s), Provenance::Driver, {{0, 2_GiB, ""}, {1, 3_GiB, ""}}};
  EXPECT_EQ(tightest({10_GiB, {}}, memory)->used, 5_GiB);
  const auto limit = tightest({std::nullopt, {{0, 20_GiB}, {1, 4_GiB}, {2, 1_GiB}}}, memory);
  EXPECT_EQ(limit->gpu, 1);
  EXPECT_DOUBLE_EQ(limit->share(), 0.75);
  EXPECT_FALSE(tightest({}, memory));
}

TEST(Limit, OfNothingIsExceededByAnything) {
  EXPECT_FALSE((Limit{std::nullopt, 0, 0}.is_exceeded()));
  EXPECT_EQ((Limit{std::nullopt, 0, 0}.share()), 0);
  EXPECT_TRUE(std::isinf(Limit{std::nullopt, 1, 0}.share()));
}

}  // namespace
}  // namespace dualgpuopt::memory::job
