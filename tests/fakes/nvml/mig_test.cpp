#include "fakes/nvml/client.h"

namespace nvml_fake {
namespace {

using namespace std::chrono_literals;
using namespace dualgpuopt::memory::literals;
using ::testing::SizeIs;

/// Instances in slots 1 and 4; the first is destroyed after 10 s and another one made in its place.
constexpr auto kPartitioned = R"(
[[gpu]]
kind = "mig"
[[gpu.process]]
pid = 50
motion = [{kind = "step", amount = 500}]
[[gpu.instance]]
slot = 1
uuid = "MIG-a"
gpu_instance = 3
compute_instance = 2
total = "10GiB"
stop = "10s"
[[gpu.instance.process]]
pid = 51
motion = [{kind = "step", amount = "1GiB"}]
[[gpu.instance]]
slot = 4
uuid = "MIG-b"
[[gpu.instance.process]]
pid = 52
motion = [{kind = "step", amount = "20GiB"}]
[[gpu.instance]]
slot = 1
uuid = "MIG-c"
start = "20s"
[[gpu]]
)";

int slot_code(const Client& client, unsigned slot) {
  Handle handle = nullptr;
  return client.call("nvmlDeviceGetMigDeviceHandleByIndex", client.gpu(0), slot, &handle);
}

TEST(Mig, HasHolesBetweenInstances) {
  const Client client(kPartitioned);
  unsigned slots = 0;
  EXPECT_EQ(client.call("nvmlDeviceGetMaxMigDeviceCount", client.gpu(0), &slots), kSuccess);
  EXPECT_EQ(slots, 7U);
  EXPECT_EQ(slot_code(client, 0), kNotFound);
  EXPECT_EQ(slot_code(client, 1), kSuccess);
  EXPECT_EQ(slot_code(client, 7), kInvalidArgument);
  EXPECT_EQ(client.uuid(client.instance(client.gpu(0), 4)), "MIG-b");
}

TEST(Mig, IsOffOnOrdinaryGpus) {
  const Client client(kPartitioned);
  unsigned current = 9;
  unsigned pending = 9;
  EXPECT_EQ(client.call("nvmlDeviceGetMigMode", client.gpu(0), &current, &pending), kSuccess);
  EXPECT_EQ(current, 1U);
  EXPECT_EQ(client.call("nvmlDeviceGetMigMode", client.gpu(1), &current, &pending), kNotSupported);
  EXPECT_EQ(client.call("nvmlDeviceGetMaxMigDeviceCount", client.gpu(1), &current), kSuccess);
  EXPECT_EQ(current, 0U);
}

TEST(Mig, LeadsFromAnInstanceToItsGpu) {
  const Client client(kPartitioned);
  const auto instance = client.instance(client.gpu(0), 1);
  Handle parent = nullptr;
  unsigned value = 9;
  EXPECT_EQ(client.call("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", instance, &parent), kSuccess);
  EXPECT_EQ(parent, client.gpu(0));
  EXPECT_EQ(client.call("nvmlDeviceIsMigDeviceHandle", instance, &value), kSuccess);
  EXPECT_EQ(value, 1U);
  EXPECT_EQ(client.call("nvmlDeviceIsMigDeviceHandle", parent, &value), kSuccess);
  EXPECT_EQ(value, 0U);
  EXPECT_EQ(client.call("nvmlDeviceGetGpuInstanceId", instance, &value), kSuccess);
  EXPECT_EQ(value, 3U);
  EXPECT_EQ(client.call("nvmlDeviceGetComputeInstanceId", instance, &value), kSuccess);
  EXPECT_EQ(value, 2U);
  EXPECT_EQ(client.call("nvmlDeviceGetGpuInstanceId", parent, &value), kNotSupported);
  Handle found = nullptr;
  EXPECT_EQ(client.call("nvmlDeviceGetHandleByUUID", "MIG-a", &found), kSuccess);
  EXPECT_EQ(found, instance);
}

TEST(Mig, AddsInstancesUpInTheirGpu) {
  const Client client(kPartitioned);
  EXPECT_EQ(client.used(client.instance(client.gpu(0), 1)), 1_GiB);
  EXPECT_EQ(client.used(client.instance(client.gpu(0), 4)), 9728_MiB) << "no more than it has";
  EXPECT_EQ(client.used(client.gpu(0)), 500 + 1_GiB + 9728_MiB);
  const auto processes = client.compute(client.gpu(0));
  ASSERT_THAT(processes, SizeIs(3));
  EXPECT_EQ(processes[0].gpu_instance, kNoInstance);
  EXPECT_EQ(processes[1].pid, 51U);
  EXPECT_EQ(processes[1].gpu_instance, 3U);
  EXPECT_EQ(processes[1].compute_instance, 2U);
}

TEST(Mig, DoesNotTellUtilizationOfProcesses) {
  const Client client(kPartitioned);
  unsigned count = 0;
  for (const auto device : {client.gpu(0), client.instance(client.gpu(0), 1)}) {
    EXPECT_EQ(client.call("nvmlDeviceGetProcessUtilization", device, static_cast<void*>(nullptr), &count, 0ULL),
              kNotSupported);
  }
}

TEST(Mig, LeavesAStaleHandleWhereAnInstanceWasDestroyed) {
  const Client client(kPartitioned);
  const auto old = client.instance(client.gpu(0), 1);
  client.clock.advance(10s);
  char uuid[96];
  EXPECT_EQ(slot_code(client, 1), kNotFound);
  EXPECT_EQ(client.call("nvmlDeviceGetUUID", old, uuid, 96U), kInvalidArgument);
  client.clock.advance(10s);
  EXPECT_EQ(client.uuid(client.instance(client.gpu(0), 1)), "MIG-c");
  EXPECT_EQ(client.call("nvmlDeviceGetUUID", old, uuid, 96U), kInvalidArgument);
}

}  // namespace
}  // namespace nvml_fake
