#include "fakes/nvml/client.h"
#include "processes/idle_child.h"

namespace nvml_fake {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Two in the compute list, one of them in the graphics list too, and one in that of MPS.
constexpr auto kThree = R"(
[[gpu]]
[[gpu.process]]
pid = 41
lists = ["compute", "graphics"]
motion = [{kind = "step", amount = 410}]
[[gpu.process]]
pid = 42
name = "train"
motion = [{kind = "step", amount = 420}]
[[gpu.process]]
pid = 43
lists = ["mps"]
memory = false
motion = [{kind = "step", amount = 430}]
)";

TEST(ProcessList, FollowsTheProtocolOfSizes) {
  const Client client(kThree);
  const auto* symbol = "nvmlDeviceGetComputeRunningProcesses_v3";
  const auto gpu = client.gpu(0);
  unsigned count = 0;
  EXPECT_EQ(client.call(symbol, gpu, &count, static_cast<ProcessV2*>(nullptr)), kInsufficientSize);
  EXPECT_EQ(count, 2U);
  ProcessV2 entries[5] = {};
  count = 1;
  EXPECT_EQ(client.call(symbol, gpu, &count, &entries[0]), kInsufficientSize);
  EXPECT_EQ(count, 2U);
  EXPECT_EQ(entries[0].pid, 0U) << "nothing is written";
  count = 5;
  EXPECT_EQ(client.call(symbol, gpu, &count, &entries[0]), kSuccess);
  EXPECT_EQ(count, 2U);
  EXPECT_EQ(entries[1].pid, 42U);
  EXPECT_EQ(entries[2].pid, 0U);
  EXPECT_EQ(client.call(symbol, gpu, &count, static_cast<ProcessV2*>(nullptr)), kInvalidArgument);
  EXPECT_EQ(client.call(symbol, gpu, static_cast<unsigned*>(nullptr), &entries[0]), kInvalidArgument);
}

TEST(ProcessList, IsASuccessWhereThereIsNobody) {
  const Client client("[[gpu]]");
  unsigned count = 0;
  EXPECT_EQ(
      client.call("nvmlDeviceGetGraphicsRunningProcesses_v3", client.gpu(0), &count, static_cast<ProcessV2*>(nullptr)),
      kSuccess);
  EXPECT_EQ(count, 0U);
}

template <typename Entry>
void expect_both(const Client& client, const char* symbol) {
  const auto entries = client.list<Entry>(symbol, client.gpu(0));
  ASSERT_THAT(entries, SizeIs(2)) << symbol;
  EXPECT_EQ(entries[0].pid, 41U);
  EXPECT_EQ(entries[0].used, 410U);
  EXPECT_EQ(entries[1].pid, 42U) << symbol;
  EXPECT_EQ(entries[1].used, 420U);
}

TEST(ProcessList, HasTheEntriesOfItsSuffix) {
  for (const auto generation : {NvmlGeneration::R510, NvmlGeneration::R550, NvmlGeneration::R580}) {
    const Client client(kThree, generation);
    expect_both<ProcessV1>(client, "nvmlDeviceGetComputeRunningProcesses");
    expect_both<ProcessV2>(client, "nvmlDeviceGetComputeRunningProcesses_v2");
    expect_both<ProcessV2>(client, "nvmlDeviceGetComputeRunningProcesses_v3");
    EXPECT_EQ(client.compute(client.gpu(0))[1].gpu_instance, kNoInstance);
  }
}

TEST(ProcessList, HasLongerEntriesBehindV3InTheFirstReleasesOfR535) {
  const Client client(kThree, NvmlGeneration::R535_43);
  expect_both<ProcessV1>(client, "nvmlDeviceGetComputeRunningProcesses");
  expect_both<ProcessV2>(client, "nvmlDeviceGetComputeRunningProcesses_v2");
  expect_both<ProcessDetail>(client, "nvmlDeviceGetComputeRunningProcesses_v3");
}

/// pynvml#50: a client that knows the usual entries only takes the second one's PID for its memory.
TEST(ProcessList, IsGarbledForClientsThatTakeTheLongerEntriesForTheUsualOnes) {
  const Client client(kThree, NvmlGeneration::R535_43);
  ProcessV2 entries[8] = {};
  unsigned count = 2;
  EXPECT_EQ(client.call("nvmlDeviceGetComputeRunningProcesses_v3", client.gpu(0), &count, &entries[0]), kSuccess);
  EXPECT_EQ(entries[0].pid, 41U);
  EXPECT_EQ(entries[1].pid, 0U);
  EXPECT_EQ(entries[1].used, 42U);
}

TEST(ProcessList, ThereIsOneOfEachKind) {
  const Client client(kThree);
  const auto graphics = client.list<ProcessV2>("nvmlDeviceGetGraphicsRunningProcesses_v3", client.gpu(0));
  ASSERT_THAT(graphics, SizeIs(1));
  EXPECT_EQ(graphics[0].pid, 41U);
  const auto mps = client.list<ProcessV2>("nvmlDeviceGetMPSComputeRunningProcesses_v3", client.gpu(0));
  ASSERT_THAT(mps, SizeIs(1));
  EXPECT_EQ(mps[0].pid, 43U);
  EXPECT_EQ(mps[0].used, kNotAvailable) << "the scenario says so";
}

TEST(ProcessList, TellsNobodysMemoryUnderWsl) {
  const Client client("[[gpu]]\nkind = \"wsl\"\n[[gpu.process]]\npid = 9\nmotion = [{kind = \"step\", amount = 5}]");
  EXPECT_EQ(client.compute(client.gpu(0)).at(0).used, kNotAvailable);
  EXPECT_EQ(client.used(client.gpu(0)), 5U);
}

TEST(DetailList, HasTheLongEntriesAndChecksItsVersion) {
  const Client client(kThree);
  ProcessDetail entries[4] = {};
  ProcessDetailList list{kProcessDetailListVersion, 0, 1, entries};
  EXPECT_EQ(client.call("nvmlDeviceGetRunningProcessDetailList", client.gpu(0), &list), kInsufficientSize);
  EXPECT_EQ(list.count, 2U);
  list.count = 4;
  EXPECT_EQ(client.call("nvmlDeviceGetRunningProcessDetailList", client.gpu(0), &list), kSuccess);
  EXPECT_EQ(list.count, 2U);
  EXPECT_EQ(entries[1].pid, 42U);
  list.mode = 3;
  EXPECT_EQ(client.call("nvmlDeviceGetRunningProcessDetailList", client.gpu(0), &list), kInvalidArgument);
  list = {1, 0, 4, entries};
  EXPECT_EQ(client.call("nvmlDeviceGetRunningProcessDetailList", client.gpu(0), &list), kArgumentVersionMismatch);
}

TEST(ProcessUtilization, HasOneSampleASecond) {
  const Client client(std::string(kThree) + "[[gpu]]\n");
  const auto* symbol = "nvmlDeviceGetProcessUtilization";
  client.clock.advance(std::chrono::milliseconds(2500));
  unsigned count = 0;
  EXPECT_EQ(client.call(symbol, client.gpu(0), static_cast<ProcessUtilization*>(nullptr), &count, 0ULL),
            kInsufficientSize);
  EXPECT_EQ(count, 2U);
  ProcessUtilization samples[2] = {};
  EXPECT_EQ(client.call(symbol, client.gpu(0), &samples[0], &count, 0ULL), kSuccess);
  EXPECT_EQ(samples[1].pid, 42U);
  EXPECT_EQ(samples[1].time_us, 2'000'000U);
  EXPECT_EQ(client.call(symbol, client.gpu(0), &samples[0], &count, samples[1].time_us), kNotFound) << "nothing new";
  client.clock.advance(std::chrono::milliseconds(500));
  EXPECT_EQ(client.call(symbol, client.gpu(0), &samples[0], &count, samples[1].time_us), kSuccess);
  EXPECT_EQ(client.call(symbol, client.gpu(1), &samples[0], &count, 0ULL), kNotFound) << "nobody there";
}

TEST(ProcessName, IsKnownOfThoseThatRun) {
  const Client client(kThree);
  char name[16] = "";
  EXPECT_EQ(client.call("nvmlSystemGetProcessName", 42U, name, 16U), kSuccess);
  EXPECT_STREQ(name, "train");
  EXPECT_EQ(client.call("nvmlSystemGetProcessName", 99U, name, 16U), kNotFound);
}

TEST(RealProcesses, GiveTheirMemoryBackWhenTheyEnd) {
  dualgpuopt::memory::IdleChild child("holder");
  const auto scenario =
      "[[gpu]]\n[[gpu.process]]\nreal = true\nlingers = \"2s\"\npid = " + std::to_string(child.pid()) +
      "\nmotion = [{kind = \"step\", amount = 5000}]\n";
  const Client client(scenario);
  const auto gpu = client.gpu(0);
  EXPECT_EQ(client.used(gpu), 5000U);
  child.kill();
  client.clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(client.used(gpu), 5000U) << "a zombie's lingers";
  EXPECT_EQ(client.compute(gpu).size(), 1U);
  client.clock.advance(std::chrono::seconds(2));
  EXPECT_EQ(client.used(gpu), 0U);
  EXPECT_EQ(client.compute(gpu).size(), 0U);
}

TEST(RealProcesses, AreNotThereWhereThisMachineHasNone) {
  const Client client(
      "[[gpu]]\n[[gpu.process]]\nreal = true\npid = 4194303\nmotion = [{kind = \"step\", amount = 5000}]\n");
  EXPECT_EQ(client.used(client.gpu(0)), 0U);
}

}  // namespace
}  // namespace nvml_fake
