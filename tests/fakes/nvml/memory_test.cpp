#include "fakes/nvml/client.h"

namespace nvml_fake {
namespace {

using namespace dualgpuopt::memory::literals;

constexpr auto kGpu = R"(
[[gpu]]
total = "24GiB"
reserved = "512MiB"
[[gpu.process]]
pid = 42
motion = [{kind = "step", amount = "6GiB"}]
)";

TEST(Memory, CountsReservedAsUsedInTheFirstForm) {
  const Client client(kGpu);
  const auto memory = client.memory_v1(client.gpu(0));
  EXPECT_EQ(memory.total, 24_GiB);
  EXPECT_EQ(memory.used, 6_GiB + 512_MiB);
  EXPECT_EQ(memory.used + memory.free, memory.total);
}

TEST(Memory, KeepsReservedApartInTheSecondForm) {
  const Client client(kGpu);
  const auto memory = client.memory_v2(client.gpu(0));
  EXPECT_EQ(memory.total, 24_GiB);
  EXPECT_EQ(memory.used, 6_GiB);
  EXPECT_EQ(memory.reserved, 512_MiB);
  EXPECT_EQ(memory.reserved + memory.used + memory.free, memory.total);
}

TEST(Memory, RefusesEveryOtherVersionOfTheSecondForm) {
  const Client client(kGpu);
  for (const auto version : {0U, 1U, 2U, 0x01000028U, 0x02000018U, 0x03000028U}) {
    MemoryV2 memory{version, 1, 2, 3, 4};
    EXPECT_EQ(client.call("nvmlDeviceGetMemoryInfo_v2", client.gpu(0), &memory), kFunctionNotFound) << version;
    EXPECT_EQ(memory.total, 1U) << "untouched";
  }
}

/// gpu-operator#348: R510 moved the reserved memory into what is used.
TEST(Memory, HidesReservedBeforeR510) {
  for (const auto generation : {NvmlGeneration::R418, NvmlGeneration::R470}) {
    const Client client(kGpu, generation);
    const auto memory = client.memory_v1(client.gpu(0));
    EXPECT_EQ(memory.used, 6_GiB);
    EXPECT_EQ(memory.total, 24_GiB - 512_MiB);
    EXPECT_EQ(memory.used + memory.free, memory.total);
  }
}

TEST(Memory, IsNotTellableOfAGpuThatSharesTheHosts) {
  const Client client("[[gpu]]\nkind = \"gb10\"\n[[gpu.process]]\npid = 1\nmotion = [{kind = \"step\", amount = 7}]");
  MemoryV1 first{};
  MemoryV2 second{kMemoryV2Version, 0, 0, 0, 0};
  EXPECT_EQ(client.call("nvmlDeviceGetMemoryInfo", client.gpu(0), &first), kNotSupported);
  EXPECT_EQ(client.call("nvmlDeviceGetMemoryInfo_v2", client.gpu(0), &second), kNotSupported);
  EXPECT_EQ(client.compute(client.gpu(0)).at(0).used, 7U);
}

TEST(Memory, NeedsAPlaceToGo) {
  const Client client(kGpu);
  EXPECT_EQ(client.call("nvmlDeviceGetMemoryInfo", client.gpu(0), static_cast<void*>(nullptr)), kInvalidArgument);
  EXPECT_EQ(client.call("nvmlDeviceGetMemoryInfo_v2", client.gpu(0), static_cast<void*>(nullptr)), kInvalidArgument);
}

}  // namespace
}  // namespace nvml_fake
