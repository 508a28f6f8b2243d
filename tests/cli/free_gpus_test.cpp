#include "cli/free_gpus.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "cli/snapshots.h"

namespace dualgpuopt::memory::cli {
namespace {

using ::testing::HasSubstr;

std::string refusal(std::vector<DeviceSnapshot> devices) {
  const auto found = free_gpus(snapshot_of(std::move(devices)));
  return found ? "" : found.error().describe();
}

TEST(FreeGpus, AreWhatIsNotUsed) {
  const auto found = free_gpus(snapshot_of({device_at(0, 4_GiB), device_at(1, 23_GiB)}));
  ASSERT_TRUE(found) << found.error().describe();
  EXPECT_EQ(found->sizes(), "21474836480B,1073741824B");
  EXPECT_EQ(found->text(), "Free now: GPU 0 (NVIDIA L4) 20.0 GiB; GPU 1 (NVIDIA L4) 1.0 GiB\n");
  const auto record = nlohmann::json::parse(found->added_to(R"({"schema":1})"));
  EXPECT_EQ(record["schema"], 1);
  EXPECT_EQ(record["free"]["provenance"], "driver");
  EXPECT_EQ(record["free"]["gpus"][1]["free_bytes"], 1_GiB);
}

TEST(FreeGpus, SayWhereNoDriverSaidSo) {
  const auto found = free_gpus(snapshot_of({device_at(0, 4_GiB)}, Provenance::Simulated));
  EXPECT_THAT(found->text(), HasSubstr("SIMULATED, free: GPU 0"));
  EXPECT_EQ(nlohmann::json::parse(found->added_to("{}"))["free"]["provenance"], "simulated");
}

TEST(FreeGpus, AreAllThereOrNone) {
  EXPECT_EQ(refusal({device_at(0, 4_GiB), unavailable_device(1, "GPU is lost")}),
            "--free: GPU 1 is unavailable: GPU is lost");
  auto unknown = device_at(0, 4_GiB);
  unknown.reading.memory = MemoryUse::from_used_and_total(4_GiB, std::nullopt);
  EXPECT_THAT(refusal({unknown}), HasSubstr("it is not known what is free"));
  EXPECT_THAT(refusal({}), HasSubstr("there is no GPU"));
}

TEST(FreeGpus, LeaveOutAGpuWhoseInstancesAreThere) {
  auto parent = device_at(0, 0);
  auto device = *parent.device;
  device.kind = DeviceKind::Partitioned;
  parent.device = std::make_shared<Device>(device);
  EXPECT_EQ(free_gpus(snapshot_of({parent, device_at(1, 20_GiB)}))->sizes(), "4294967296B");
}

}  // namespace
}  // namespace dualgpuopt::memory::cli
