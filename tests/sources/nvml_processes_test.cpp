#include "sources/nvml_processes.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "processes/proc_fixture.h"
#include "sources/nvml_stage.h"

namespace dualgpuopt::memory::nvml {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

NvmlFakeDevice gpu_with(const NvmlFakeList& compute, const NvmlFakeList& graphics = {}) {
  auto gpu = fake_gpu("GPU-1", 24_GiB, 0, 6_GiB);
  gpu.compute = compute;
  gpu.graphics = graphics;
  return gpu;
}

TEST(ListProcesses, TakesOneCallForTheUsualList) {
  const Stage stage{gpu_with(fake_list_of(64))};
  EXPECT_THAT(*list_processes(stage.library, ProcessListKind::Compute, stage.gpu(0)), SizeIs(64));
  EXPECT_THAT(*list_processes(stage.library, ProcessListKind::Graphics, stage.gpu(0)), IsEmpty());
  EXPECT_EQ(stage.fake.calls(kNvmlFakeCompute), 1U);
  EXPECT_EQ(stage.fake.calls(kNvmlFakeGraphics), 1U);
}

TEST(ListProcesses, ComesBackWithMoreRoom) {
  for (const auto generation : {NvmlGeneration::R510, NvmlGeneration::R418}) {
    auto list = fake_list_of(200);
    list.grows_by = 10;
    const Stage stage({gpu_with(list)}, generation);
    const auto entries = list_processes(stage.library, ProcessListKind::Compute, stage.gpu(0));
    ASSERT_TRUE(entries) << entries.error().describe();
    ASSERT_THAT(*entries, SizeIs(210));
    EXPECT_EQ(entries->back().pid, 210U);
    EXPECT_EQ(entries->back().used, 210U);
    EXPECT_EQ(stage.fake.calls(kNvmlFakeCompute), 2U);
  }
}

TEST(ListProcesses, GivesUpOnAListThatGrowsForEver) {
  auto list = fake_list_of(100);
  list.grows_by = 5000;
  const Stage stage{gpu_with(list)};
  const auto entries = list_processes(stage.library, ProcessListKind::Compute, stage.gpu(0));
  ASSERT_FALSE(entries);
  EXPECT_THAT(entries.error().describe(), HasSubstr("grew faster"));
}

TEST(ListProcesses, RefusesAListThatCannotBeTrue) {
  const auto problem = [](const NvmlFakeList& list) {
    const Stage stage{gpu_with(list)};
    return list_processes(stage.library, ProcessListKind::Compute, stage.gpu(0)).error().describe();
  };
  EXPECT_THAT(problem(fake_list({{42, 1, ~0U, ~0U}, {0, 1, ~0U, ~0U}})), HasSubstr("garbled (PID 0)"));
  EXPECT_THAT(problem(fake_list({{4'000'000'000, 1, ~0U, ~0U}})), HasSubstr("garbled (PID 4000000000)"));
  NvmlFakeList absurd{};
  absurd.count = 4'000'000'000;
  EXPECT_THAT(problem(absurd), HasSubstr("claims 4000000000 processes"));
}

ProcessMemory process_of(pid_t pid, std::optional<Bytes> used, ProcessKind kind) {
  ProcessMemory process;
  process.pid = pid;
  process.used = used;
  process.kind = kind;
  return process;
}

TEST(MergeProcesses, TakesTheLargestUseOfAProcessInSeveralLists) {
  const auto merged = merge({{{42, 100}, {7, 50}, {8, 10}}, {{42, 300}, {9, kNotAvailable}}, {{8, 20}, {10, 5}}});
  EXPECT_THAT(merged,
              ElementsAre(process_of(7, 50, ProcessKind::Compute), process_of(8, 20, ProcessKind::Mps),
                          process_of(9, std::nullopt, ProcessKind::Graphics), process_of(10, 5, ProcessKind::Mps),
                          process_of(42, 300, ProcessKind::ComputeAndGraphics)));
  EXPECT_EQ(merge({{{8, 1}}, {{8, 1}}, {{8, 1}}}).front().kind, ProcessKind::ComputeAndGraphics);
  EXPECT_EQ(merge({{}, {{8, 1}}, {{8, 1}}}).front().kind, ProcessKind::ComputeAndGraphics);
}

/// The use that one list of these entries gives.
std::optional<Bytes> compute_use(std::vector<ProcessV2> entries) {
  return merge({std::move(entries), {}, {}}).front().used;
}

TEST(MergeProcesses, DoesNotInventAUseThatIsNotTold) {
  EXPECT_EQ(compute_use({{42, kNotAvailable}}), std::nullopt);
  EXPECT_EQ(merge({{{42, kNotAvailable}}, {{42, 300}}, {}}).front().used, 300U);
  EXPECT_EQ(merge({{{42, 100}}, {{42, kNotAvailable}}, {}}).front().used, 100U);
  EXPECT_EQ(compute_use({{42, 0}}), 0U);
}

TEST(MergeProcesses, AddsUpTheInstancesOfAPartitionedGpu) {
  EXPECT_EQ(compute_use({{42, 100, 1, 0}, {42, 30, 2, 0}}), 130U);
  EXPECT_EQ(compute_use({{42, 100, 1, 0}, {42, 30, 1, 0}}), 100U) << "the same entry twice";
  EXPECT_EQ(compute_use({{42, 100, 1, 0}, {42, kNotAvailable, 2, 0}}), std::nullopt);
}

RC_GTEST_PROP(MergeProcesses, HasEveryProcessOnceInOrder, (const std::vector<std::pair<std::uint8_t, Bytes>>& raw)) {
  std::vector<ProcessV2> compute;
  std::vector<ProcessV2> graphics;
  std::set<pid_t> pids;
  for (const auto& [pid, used] : raw) {
    (used % 2 == 0 ? compute : graphics).push_back({pid, used});
    pids.insert(pid);
  }
  std::vector<pid_t> merged;
  for (const auto& process : merge({compute, graphics, {}})) merged.push_back(process.pid);
  RC_ASSERT(merged == std::vector<pid_t>(pids.begin(), pids.end()));
}

TEST(ReadProcesses, FindsOutWhoTheProcessesAre) {
  using namespace fixture;
  const TemporaryTree tree{directory("proc", {self(), process({.pid = 42, .name = "train (1)", .start_ticks = 777}),
                                              process({.pid = 43, .state = 'Z'})})};
  const Stage stage{gpu_with(fake_list({{43, 1_MiB, ~0U, ~0U}, {42, 2_GiB, ~0U, ~0U}, {4242, 1_GiB, ~0U, ~0U}}))};
  const TimeStamp time{MonoTime(std::chrono::seconds(5)), std::nullopt};
  const auto list = read_processes(stage.library, stage.gpu(0), DriverPids(tree.root()), time, 24_GiB);
  EXPECT_EQ(list.time, time);
  EXPECT_EQ(list.reason, "");
  EXPECT_EQ(list.used_reason, "");
  ASSERT_THAT(list.entries, SizeIs(3));
  EXPECT_EQ(list.entries[0].name, "train (1)");
  EXPECT_EQ(list.entries[0].start_ticks, 777U);
  EXPECT_EQ(list.entries[0].presence, ProcessPresence::Alive);
  EXPECT_EQ(list.entries[1].presence, ProcessPresence::Zombie);
  EXPECT_EQ(list.entries[2].presence, ProcessPresence::Gone);
  EXPECT_EQ(list.entries[2].used, 1_GiB) << "the driver still counts it";
  EXPECT_EQ(list.attributed(), 3073_MiB);
}

TEST(ReadProcesses, MapsProcessesOfAContainerThroughTheHost) {
  using namespace fixture;
  const Process here{.pid = 7, .name = "train", .start_ticks = 9};
  const Process on_host{.pid = 42, .name = "train", .start_ticks = 9, .namespaced_pids = {42, 7}};
  const TemporaryTree tree{directory("proc", {self(4026532000), process(here)}),
                           directory("host", {directory("proc", {process({.pid = 1}), process(on_host)})})};
  const Stage stage{gpu_with(fake_list({{42, 1_MiB, ~0U, ~0U}}))};
  const auto list = read_processes(stage.library, stage.gpu(0), DriverPids(tree.root()), {}, 24_GiB);
  ASSERT_THAT(list.entries, SizeIs(1));
  EXPECT_EQ(list.entries[0].pid, 7);
  EXPECT_EQ(list.entries[0].driver_pid, 42);
  EXPECT_EQ(list.entries[0].presence, ProcessPresence::Alive);
}

TEST(ReadProcesses, OffersNobodyOfAnotherNamespaceForSignals) {
  using namespace fixture;
  const TemporaryTree tree{directory("proc", {self(4026532000), process({.pid = 42, .name = "bystander"})})};
  const Stage stage{gpu_with(fake_list({{42, 1_MiB, ~0U, ~0U}}))};
  const auto list = read_processes(stage.library, stage.gpu(0), DriverPids(tree.root()), {}, 24_GiB);
  ASSERT_THAT(list.entries, SizeIs(1));
  EXPECT_EQ(list.entries[0].presence, ProcessPresence::Unseen);
  EXPECT_FALSE(list.entries[0].start_ticks) << "without it nothing is signalled";
  EXPECT_EQ(list.entries[0].name, "");
}

TEST(ReadProcesses, SaysWhyAUseIsNotKnown) {
  const Stage stage{gpu_with(fake_list({{42, ~0ULL, ~0U, ~0U}, {43, 1_MiB, ~0U, ~0U}}))};
  const auto list = read_processes(stage.library, stage.gpu(0), DriverPids("/nowhere"), {}, 24_GiB);
  EXPECT_FALSE(list.entries[0].used);
  EXPECT_EQ(list.entries[1].used, 1_MiB);
  EXPECT_THAT(list.used_reason, HasSubstr("does not count the memory of each process"));
  EXPECT_FALSE(list.attributed());
}

TEST(ReadProcesses, DoesNotBelieveAUseAboveTheTotal) {
  const Stage stage{gpu_with(fake_list({{42, 25_GiB, ~0U, ~0U}}))};
  const auto list = read_processes(stage.library, stage.gpu(0), DriverPids("/nowhere"), {}, 24_GiB);
  EXPECT_FALSE(list.entries[0].used);
  EXPECT_THAT(list.used_reason, HasSubstr("gives process 42 more than the device has"));
  const auto unlimited = read_processes(stage.library, stage.gpu(0), DriverPids("/nowhere"), {}, std::nullopt);
  EXPECT_EQ(unlimited.entries[0].used, 25_GiB) << "there is nothing to compare it with";
}

/// The list as it is read when the two calls fail with these codes.
ProcessList read_failing(int compute, int graphics) {
  const Stage stage{gpu_with(fake_list({{42, 1_GiB, ~0U, ~0U}}), fake_list({{43, 1_MiB, ~0U, ~0U}}))};
  stage.fake.force(0, kNvmlFakeCompute, compute);
  stage.fake.force(0, kNvmlFakeGraphics, graphics);
  return read_processes(stage.library, stage.gpu(0), DriverPids("/nowhere"), {}, 24_GiB);
}

TEST(ReadProcesses, MakesDoWithTheListThatTheDeviceSupports) {
  EXPECT_THAT(read_failing(0, 3).entries, ElementsAre(Field(&ProcessMemory::pid, 42)));
  EXPECT_EQ(read_failing(0, 3).reason, "");
  EXPECT_THAT(read_failing(13, 0).entries, ElementsAre(Field(&ProcessMemory::pid, 43)));
}

TEST(ReadProcesses, GivesTheReasonInsteadOfHalfAList) {
  for (const auto& [compute, graphics, reason] :
       {std::tuple(4, 0, "Insufficient Permissions"), std::tuple(0, 15, "GPU is lost"),
        std::tuple(3, 13, "Not Supported"), std::tuple(3, 999, "Unknown Error")}) {
    const auto list = read_failing(compute, graphics);
    EXPECT_THAT(list.entries, IsEmpty());
    EXPECT_THAT(list.reason, HasSubstr(reason));
    EXPECT_FALSE(list.attributed());
  }
}

}  // namespace
}  // namespace dualgpuopt::memory::nvml
