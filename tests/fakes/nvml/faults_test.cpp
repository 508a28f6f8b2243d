#include <thread>

#include "fakes/nvml/client.h"

namespace nvml_fake {
namespace {

using namespace std::chrono_literals;

/// What the first memory call returns.
int memory_code(const Client& client, Handle device) {
  MemoryV1 memory{};
  return client.call("nvmlDeviceGetMemoryInfo", device, &memory);
}

int lookup_code(const Client& client, unsigned index) {
  Handle device = nullptr;
  return client.call("nvmlDeviceGetHandleByIndex_v2", index, &device);
}

TEST(Faults, MakeACallFailForAWhile) {
  const Client client(R"(
[[gpu]]
[[gpu]]
[[fault]]
kind = "error"
at = "10s"
lasting = "5s"
gpu = 1
call = "MemoryInfo"
code = 17
)");
  const auto gpu = client.gpu(1);
  EXPECT_EQ(memory_code(client, gpu), kSuccess);
  client.clock.advance(10s);
  EXPECT_EQ(memory_code(client, gpu), 17);
  MemoryV2 memory{kMemoryV2Version, 0, 0, 0, 0};
  EXPECT_EQ(client.call("nvmlDeviceGetMemoryInfo_v2", gpu, &memory), 17) << "whatever the suffix";
  EXPECT_EQ(memory_code(client, client.gpu(0)), kSuccess) << "the other GPU is well";
  EXPECT_EQ(client.uuid(gpu).substr(0, 4), "GPU-") << "other calls too";
  client.clock.advance(5s);
  EXPECT_EQ(memory_code(client, gpu), kSuccess);
}

TEST(Faults, MayConcernOneExactFunction) {
  const Client client("[[gpu]]\n[[fault]]\nkind = \"error\"\ncall = \"nvmlDeviceGetMemoryInfo_v2\"\ncode = 999\n");
  MemoryV2 memory{kMemoryV2Version, 0, 0, 0, 0};
  EXPECT_EQ(client.call("nvmlDeviceGetMemoryInfo_v2", client.gpu(0), &memory), kUnknown);
  EXPECT_EQ(memory_code(client, client.gpu(0)), kSuccess);
}

TEST(Faults, ConcernEveryCallAboutADeviceIfNoneIsNamed) {
  const Client client("[[gpu]]\n[[fault]]\nkind = \"error\"\nat = \"1s\"\ncode = 16\n");
  const auto gpu = client.gpu(0);
  client.clock.advance(1s);
  char text[96];
  EXPECT_EQ(memory_code(client, gpu), 16);
  EXPECT_EQ(client.call("nvmlDeviceGetName", gpu, text, 96U), 16);
  EXPECT_EQ(lookup_code(client, 0), 16);
  EXPECT_EQ(client.count(), 1U) << "counting is about no device";
}

/// The calls that fail of 1000.
unsigned failures(const std::string& seed) {
  const Client client(
      "seed = " + seed +
      "\n[[gpu]]\n[[fault]]\nkind = \"error\"\ncall = \"MemoryInfo\"\ncode = 999\nprobability = 0.25\n");
  unsigned failed = 0;
  for (int i = 0; i < 1000; ++i) failed += memory_code(client, client.gpu(0)) == kSuccess ? 0 : 1;
  return failed;
}

TEST(Faults, HappenAsOftenAsTheyAreProbable) {
  EXPECT_NEAR(failures("1"), 250, 50);
  EXPECT_EQ(failures("1"), failures("1")) << "and with the same seed to the same calls";
  EXPECT_NE(failures("1"), failures("2"));
}

TEST(Faults, LoseAGpu) {
  for (const int lookup : {15, 999}) {
    const Client client("[[gpu]]\n[[gpu]]\n[[fault]]\nkind = \"lost\"\nat = \"1s\"\ngpu = 0\nlookup = " +
                        std::to_string(lookup));
    const auto gpu = client.gpu(0);
    client.clock.advance(1s);
    EXPECT_EQ(memory_code(client, gpu), kGpuIsLost);
    EXPECT_EQ(lookup_code(client, 0), lookup);
    EXPECT_EQ(client.count(), 2U);
    EXPECT_EQ(memory_code(client, client.gpu(1)), kSuccess) << "the others stay usable";
  }
}

TEST(Faults, LoseInstancesWithTheirGpu) {
  const Client client(R"(
[[gpu]]
kind = "mig"
[[gpu.instance]]
slot = 0
[[fault]]
kind = "lost"
at = "1s"
gpu = 0
)");
  const auto instance = client.instance(client.gpu(0), 0);
  EXPECT_EQ(memory_code(client, instance), kSuccess);
  client.clock.advance(1s);
  EXPECT_EQ(memory_code(client, instance), kGpuIsLost);
}

TEST(Faults, DenyThePartitionedGpuButNotItsInstances) {
  const Client client(R"(
[[gpu]]
kind = "mig"
[[gpu.instance]]
slot = 0
[[fault]]
kind = "parent_denied"
)");
  const auto gpu = client.gpu(0);
  unsigned count = 0;
  EXPECT_EQ(memory_code(client, gpu), kNoPermission);
  EXPECT_EQ(client.call("nvmlDeviceGetComputeRunningProcesses_v3", gpu, &count, static_cast<void*>(nullptr)),
            kNoPermission);
  EXPECT_EQ(memory_code(client, client.instance(gpu, 0)), kSuccess);
}

TEST(Faults, MakeMemoryAbsurdWithSuccess) {
  const auto memory_with = [](const std::string& values) {
    const Client client("[[gpu]]\n[[fault]]\nkind = \"absurd\"\nvalues = \"" + values + "\"\n");
    return client.memory_v1(client.gpu(0));
  };
  EXPECT_GT(memory_with("used_above_total").used, memory_with("used_above_total").total);
  EXPECT_EQ(memory_with("zero_total").total, 0U);
  EXPECT_EQ(memory_with("all_ones").total, ~0ULL);
  EXPECT_EQ(memory_with("all_ones").used, ~0ULL);
}

TEST(Faults, TakeAGpuAwayAndBringItBack) {
  const Client client(R"(
[[gpu]]
uuid = "GPU-a"
[[gpu]]
uuid = "GPU-b"
[[fault]]
kind = "gone"
at = "1s"
lasting = "1s"
gpu = 0
)");
  const auto first = client.gpu(0);
  client.clock.advance(1s);
  EXPECT_EQ(client.count(), 1U);
  EXPECT_EQ(client.uuid(client.gpu(0)), "GPU-b") << "later ones move up";
  EXPECT_EQ(lookup_code(client, 1), kInvalidArgument);
  EXPECT_EQ(memory_code(client, first), kGpuIsLost);
  Handle device = nullptr;
  EXPECT_EQ(client.call("nvmlDeviceGetHandleByUUID", "GPU-a", &device), kNotFound);
  client.clock.advance(1s);
  EXPECT_EQ(client.count(), 2U);
  EXPECT_EQ(client.uuid(client.gpu(0)), "GPU-a");
}

TEST(Faults, KeepTheDriverFromStarting) {
  const Client client;
  client.fake.use_clock(client.clock);
  client.fake.tell("[[fault]]\nkind = \"mismatch\"\nlasting = \"1s\"\n");
  EXPECT_EQ(client.call("nvmlInit_v2"), kVersionMismatch);
  EXPECT_EQ(client.call("nvmlInitWithFlags", 0U), kVersionMismatch);
  EXPECT_EQ(client.call("nvmlShutdown"), kUninitialized) << "what did not start";
  client.clock.advance(1s);
  EXPECT_EQ(client.call("nvmlInit_v2"), kSuccess);
}

TEST(Faults, FailCountingAndStartingByName) {
  const Client client;
  client.fake.use_clock(client.clock);
  client.fake.tell(R"(
[[gpu]]
[[fault]]
kind = "error"
call = "Init"
code = 9
lasting = "1s"
[[fault]]
kind = "error"
call = "Count"
code = 999
lasting = "2s"
)");
  unsigned count = 0;
  EXPECT_EQ(client.call("nvmlInit"), 9);
  client.clock.advance(1s);
  EXPECT_EQ(client.call("nvmlInit"), kSuccess);
  EXPECT_EQ(client.call("nvmlDeviceGetCount_v2", &count), kUnknown);
  client.clock.advance(1s);
  EXPECT_EQ(client.count(), 1U);
}

TEST(Faults, GiveTheHandleOfAnInstanceToAnother) {
  const Client client(R"(
[[gpu]]
kind = "mig"
[[gpu.instance]]
slot = 2
uuid = "MIG-a"
[[gpu.instance.process]]
pid = 5
motion = [{kind = "step", amount = 500}]
[[fault]]
kind = "same_handle"
at = "1s"
gpu = 0
instance = 2
uuid = "MIG-other"
)");
  const auto instance = client.instance(client.gpu(0), 2);
  EXPECT_EQ(client.uuid(instance), "MIG-a");
  EXPECT_EQ(client.used(instance), 500U);
  client.clock.advance(1s);
  EXPECT_EQ(client.uuid(instance), "MIG-other");
  EXPECT_EQ(client.used(instance), 0U);
  EXPECT_TRUE(client.compute(instance).empty());
}

constexpr auto kHanging = R"(
[[gpu]]
[[gpu]]
[[fault]]
kind = "hang"
at = "10s"
lasting = "5s"
gpu = 0
)";

void wait_until_something_hangs(const Client& client) {
  while (client.fake.look([](NvmlFakeState& state) { return state.hanging; }) == 0) std::this_thread::yield();
}

TEST(Faults, HangUntilTheClockHasPassedTheirEnd) {
  const Client client(kHanging);
  const auto gpu = client.gpu(0);
  client.clock.advance(10s);
  std::atomic<int> code{-1};
  std::jthread caller([&] { code = memory_code(client, gpu); });
  wait_until_something_hangs(client);
  EXPECT_EQ(memory_code(client, client.gpu(1)), kSuccess) << "the other GPU answers meanwhile";
  client.clock.advance(4s);
  EXPECT_EQ(code, -1);
  client.clock.advance(1s);
  caller.join();
  EXPECT_EQ(code, kSuccess);
  EXPECT_EQ(client.fake.look([](NvmlFakeState& state) { return state.hanging; }), 0);
}

TEST(Faults, HangLookingUpAsWell) {
  const Client client(kHanging);
  client.clock.advance(10s);
  std::jthread caller([&] { EXPECT_EQ(lookup_code(client, 0), kSuccess); });
  wait_until_something_hangs(client);
  client.clock.advance(5s);
}

TEST(Faults, HangStartingIfNamed) {
  const Client client;
  client.fake.use_clock(client.clock);
  client.fake.tell("[[fault]]\nkind = \"hang\"\ncall = \"Init\"\nlasting = \"1s\"\n");
  std::jthread caller([&] { EXPECT_EQ(client.call("nvmlInit_v2"), kSuccess); });
  wait_until_something_hangs(client);
  client.clock.advance(1s);
}

TEST(Faults, EndWhenTheScenarioIsTakenAway) {
  const Client client("[[gpu]]\n[[fault]]\nkind = \"hang\"\nat = \"1s\"\ncall = \"MemoryInfo\"\n");
  const auto gpu = client.gpu(0);
  client.clock.advance(1s);
  std::jthread caller([&] { EXPECT_EQ(memory_code(client, gpu), kSuccess); });
  wait_until_something_hangs(client);
  client.fake.tell("[[gpu]]");
}

TEST(Latency, IsWaitedForInRealTime) {
  const Client client("[latency]\nMemoryInfo = \"20ms\"\n[[gpu]]\n");
  const auto gpu = client.gpu(0);
  client.fake.use_real_time();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(memory_code(client, gpu), kSuccess);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
}

TEST(Latency, IsNoneUnderAClockOfTheTests) {
  const Client client("[latency]\nMemoryInfo = \"1h\"\n[[gpu]]\n");
  EXPECT_EQ(memory_code(client, client.gpu(0)), kSuccess) << "now, and not in an hour";
}

}  // namespace
}  // namespace nvml_fake
