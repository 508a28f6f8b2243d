#include "dualgpuopt/memory/sources/simulated.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Motion step(SignedBytes amount, Duration at = 0s) { return {MotionKind::Step, at, 0s, 0s, amount}; }

SignedBytes gib(int count) { return SignedBytes{count} << 30; }

/// One device of 10 GiB, of which 1 GiB is reserved.
Scenario one_device(std::vector<SimulatedProcess> processes) {
  Scenario scenario;
  scenario.devices = {{"Test GPU", 10_GiB, 1_GiB, std::move(processes)}};
  return scenario;
}

Reading read_at(const Scenario& scenario, Duration time, int gpu = 0) {
  VirtualClock clock;
  clock.advance_to(MonoTime(time));
  return SimulatedSource(scenario, clock).read(gpu, ReadDetail::MemoryAndProcesses);
}

Bytes used_at(const Scenario& scenario, Duration time) { return read_at(scenario, time).memory->used; }

TEST(SimulatedSource, EnumeratesTheScenariosDevices) {
  const VirtualClock clock;
  auto scenario = one_device({});
  scenario.devices.push_back({"Other GPU", 1_GiB, 0, {}});
  const auto devices = SimulatedSource(scenario, clock).enumerate();
  ASSERT_TRUE(devices);
  ASSERT_EQ(devices->size(), 2U);
  EXPECT_EQ(devices->at(0).key, "sim-0");
  EXPECT_EQ(devices->at(0).name, "Test GPU");
  EXPECT_EQ(devices->at(1).key, "sim-1");
  EXPECT_EQ(devices->at(1).gpu, 1);
  EXPECT_EQ(devices->at(1).vendor, Vendor::Unknown);
}

TEST(SimulatedSource, KeepsReservedApart) {
  const auto reading = read_at(one_device({{7, "job", 0s, {}, {step(gib(2))}}}), 1s);
  ASSERT_TRUE(reading.ok());
  EXPECT_EQ(reading.memory->used, 2_GiB);
  EXPECT_EQ(reading.memory->free, 7_GiB);
  EXPECT_EQ(reading.memory->reserved, 1_GiB);
  EXPECT_EQ(reading.memory->total, 10_GiB);
  EXPECT_EQ(reading.memory->used_meaning, UsedMeaning::WithoutReserved);
  EXPECT_EQ(reading.memory->occupied(), 3_GiB);
}

TEST(SimulatedSource, ListsProcessesWhileTheyRun) {
  const auto scenario = one_device({{7, "early", 0s, 5s, {step(gib(1))}}, {8, "late", 3s, {}, {step(gib(2))}}});
  EXPECT_EQ(read_at(scenario, 0s).processes->entries.size(), 1U);
  EXPECT_EQ(read_at(scenario, 4s).processes->entries.size(), 2U);
  const auto later = read_at(scenario, 5s);
  ASSERT_EQ(later.processes->entries.size(), 1U);
  EXPECT_EQ(later.processes->entries[0].pid, 8);
  EXPECT_EQ(later.processes->entries[0].name, "late");
  EXPECT_EQ(later.processes->entries[0].used, 2_GiB);
  EXPECT_FALSE(later.processes->entries[0].start_ticks) << "nothing here may pass for a process of this machine";
  EXPECT_EQ(later.unattributed(), 0);
}

TEST(SimulatedSource, LeavesTheListOutUnlessAsked) {
  const VirtualClock clock;
  SimulatedSource source(one_device({{7, "job", 0s, {}, {step(gib(2))}}}), clock);
  EXPECT_EQ(source.read(0, ReadDetail::Memory).processes, nullptr);
  EXPECT_EQ(source.read(0, ReadDetail::Memory).memory->used, 2_GiB);
}

TEST(SimulatedSource, CountsMotionsFromTheStartOfTheirProcess) {
  const auto scenario = one_device({{7, "job", 10s, {}, {step(gib(1)), step(gib(2), 5s)}}});
  EXPECT_EQ(used_at(scenario, 9s), 0U);
  EXPECT_EQ(used_at(scenario, 10s), 1_GiB);
  EXPECT_EQ(used_at(scenario, 15s), 3_GiB);
}

TEST(SimulatedSource, TakesASumBelowZeroAsZero) {
  const auto scenario = one_device({{7, "odd", 0s, {}, {step(gib(-5))}}, {8, "job", 0s, {}, {step(gib(2))}}});
  EXPECT_EQ(used_at(scenario, 0s), 2_GiB);
}

TEST(SimulatedSource, CutsWhatDoesNotFitFromTheLastProcess) {
  const auto scenario = one_device({{7, "first", 0s, {}, {step(gib(6))}}, {8, "second", 0s, {}, {step(gib(6))}}});
  const auto reading = read_at(scenario, 0s);
  EXPECT_EQ(reading.memory->free, 0_B);
  EXPECT_EQ(reading.memory->used, 9_GiB);
  EXPECT_EQ(reading.processes->entries[0].used, 6_GiB);
  EXPECT_EQ(reading.processes->entries[1].used, 3_GiB);
}

TEST(SimulatedSource, TakesMoreReservedThanTotalAsAllOfIt) {
  auto scenario = one_device({{7, "job", 0s, {}, {step(gib(2))}}});
  scenario.devices[0].reserved = 11_GiB;
  const auto memory = read_at(scenario, 0s).memory;
  EXPECT_EQ(memory->reserved, 10_GiB);
  EXPECT_EQ(memory->used, 0U);
  EXPECT_EQ(memory->free, 0_B);
}

TEST(SimulatedSource, TellsTheStoryAgainWithOtherNoise) {
  auto scenario = one_device({{7, "job", 2s, {}, {step(gib(2))}}});
  scenario.repeat_every = 10s;
  EXPECT_EQ(used_at(scenario, 9s), 2_GiB);
  EXPECT_EQ(used_at(scenario, 10s), 0U);
  EXPECT_EQ(used_at(scenario, 13s), used_at(scenario, 3s));
  scenario.devices[0].processes[0].motions.push_back({MotionKind::Noise, 0s, 0s, 1s, gib(1)});
  EXPECT_NE(used_at(scenario, 13s), used_at(scenario, 3s));
}

TEST(SimulatedSource, SaysWhichDevicesThereAre) {
  EXPECT_EQ(read_at(one_device({}), 0s, 3).reason,
            "the scenario has no GPU 3; its GPUs are numbered from 0 and there are 1");
}

Duration any_time() { return Duration(*rc::gen::inRange<Duration::rep>(-10, 1'000'000'000'000)); }

Motion any_motion() {
  const auto kind =
      *rc::gen::element(MotionKind::Step, MotionKind::Ramp, MotionKind::Sawtooth, MotionKind::Leak, MotionKind::Noise);
  return {kind, any_time(), any_time(), any_time(), *rc::gen::arbitrary<SignedBytes>()};
}

Scenario any_scenario() {
  Scenario scenario;
  scenario.seed = *rc::gen::arbitrary<std::uint64_t>();
  if (*rc::gen::arbitrary<bool>()) scenario.repeat_every = any_time();
  SimulatedDevice device{"any", *rc::gen::arbitrary<Bytes>(), *rc::gen::arbitrary<Bytes>(), {}};
  for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
    SimulatedProcess process{i, "any", any_time(), std::nullopt, {}};
    if (*rc::gen::arbitrary<bool>()) process.stop = any_time();
    for (int j = *rc::gen::inRange(0, 4); j > 0; --j) process.motions.push_back(any_motion());
    device.processes.push_back(std::move(process));
  }
  scenario.devices.push_back(std::move(device));
  return scenario;
}

RC_GTEST_PROP(SimulatedSource, AlwaysAccountsForAllMemory, ()) {
  const auto reading = read_at(any_scenario(), any_time());
  const auto& memory = *reading.memory;
  RC_ASSERT(memory.used + *memory.free + *memory.reserved == *memory.total);
  RC_ASSERT(reading.processes->attributed() == memory.used);
}

RC_GTEST_PROP(SimulatedSource, DependsOnScenarioAndTimeAlone, ()) {
  const auto scenario = any_scenario();
  const auto first = any_time();
  const auto second = any_time();
  VirtualClock clock;
  SimulatedSource source(scenario, clock);
  clock.advance_to(MonoTime(std::min(first, second)));
  (void)source.read(0, ReadDetail::Memory);
  clock.advance_to(MonoTime(std::max(first, second)));
  RC_ASSERT(source.read(0, ReadDetail::Memory).memory == read_at(scenario, std::max(first, second)).memory);
}

}  // namespace
}  // namespace dualgpuopt::memory
