#include "sources/nvml_devices.h"

#include <gmock/gmock.h>

#include "sources/nvml_stage.h"

namespace dualgpuopt::memory::nvml {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<Device> devices_of(const std::vector<NvmlDevice>& found) {
  std::vector<Device> devices;
  for (const auto& each : found) devices.push_back(each.device);
  return devices;
}

std::vector<NvmlDevice> enumerate(const Stage& stage, const std::vector<NvmlDevice>& before = {}) {
  return enumerate_devices(stage.library, before).value();
}

NvmlFakeDevice fake_instance(const char* uuid) {
  auto instance = fake_gpu(uuid, 10_GiB, 0, 1_GiB);
  std::strcpy(instance.name, "Stand-in GPU MIG 1g.10gb");
  return instance;
}

/// Two GPUs; the first is partitioned and has instances in slots 1 and 4.
void partition(const Stage& stage) {
  stage.fake.change([](NvmlFakeState& state) {
    state.devices[0].mig_capable = state.devices[0].mig_enabled = 1;
    state.devices[2] = fake_instance("MIG-a");
    state.devices[3] = fake_instance("MIG-b");
    state.devices[0].mig_slots[1] = 2;
    state.devices[0].mig_slots[4] = 3;
  });
}

TEST(NvmlDevices, ListsEveryGpuWithItsIdentity) {
  auto second = fake_gpu("", 8_GiB, 0, 0);
  second.pci_bus = 0x41;
  const Stage stage{fake_gpu("GPU-a", 24_GiB, 0, 0), second};
  EXPECT_THAT(devices_of(enumerate(stage)),
              ElementsAre(Device{0, "GPU-a", "Stand-in GPU", "GPU-a", "00000000:00:00.0", std::nullopt, Vendor::Nvidia,
                                 DeviceKind::Gpu},
                          Device{1, "00000000:41:00.0", "Stand-in GPU", std::nullopt, "00000000:41:00.0", std::nullopt,
                                 Vendor::Nvidia, DeviceKind::Gpu}));
}

TEST(NvmlDevices, FallsBackToTheIndexWhereNothingElseIsTold) {
  const Stage stage{fake_gpu("", 8_GiB, 0, 0)};
  stage.fake.force(kNvmlFakePciInfo, 999);
  stage.fake.force(kNvmlFakeName, 999);
  EXPECT_THAT(devices_of(enumerate(stage)), ElementsAre(Device{0, "nvml-0", "", std::nullopt, std::nullopt,
                                                               std::nullopt, Vendor::Nvidia, DeviceKind::Gpu}));
}

TEST(NvmlDevices, ListsADeviceThatMayNotBeLookedUp) {
  const Stage stage{fake_gpu("GPU-a", 24_GiB, 0, 0), fake_gpu("GPU-b", 24_GiB, 0, 0), fake_gpu("GPU-c", 24_GiB, 0, 0)};
  stage.fake.force(1, kNvmlFakeHandleByIndex, 4);
  const auto found = enumerate(stage);
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[1].device,
            (Device{1, "nvml-1", "", std::nullopt, std::nullopt, std::nullopt, Vendor::Nvidia, DeviceKind::Gpu}));
  EXPECT_EQ(found[1].handle, tl::unexpected(Code::NoPermission));
  EXPECT_EQ(found[2].device.key, "GPU-c");
  EXPECT_TRUE(found[2].handle);
}

TEST(NvmlDevices, KeepsTheIdentityOfAGpuThatGotLost) {
  const Stage stage{fake_gpu("GPU-a", 24_GiB, 0, 0), fake_gpu("GPU-b", 24_GiB, 0, 0)};
  const auto before = enumerate(stage);
  stage.fake.force(1, kNvmlFakeHandleByIndex, 15);
  const auto after = enumerate(stage, before);
  EXPECT_EQ(devices_of(after), devices_of(before));
  EXPECT_EQ(after[1].handle, tl::unexpected(Code::GpuIsLost));

  stage.fake.change([](NvmlFakeState& state) { state.gpus = 3; });
  EXPECT_EQ(enumerate(stage, before)[1].device.key, "nvml-1") << "with other GPUs an index may mean another one";
}

TEST(NvmlDevices, IsEmptyWithoutGpus) {
  const Stage stage{};
  EXPECT_THAT(enumerate(stage), IsEmpty());
}

TEST(NvmlDevices, FailsAsAWholeOnlyIfThereIsNoCount) {
  const Stage stage{};
  stage.fake.force(kNvmlFakeCount, 999);
  const auto found = enumerate_devices(stage.library, {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::Unavailable);
  EXPECT_THAT(found.error().message(), HasSubstr("NVML code 999"));
}

TEST(NvmlDevices, ListsMigInstancesAfterTheGpusThatTheyArePartOf) {
  const Stage stage{fake_gpu("GPU-a", 80_GiB, 0, 0), fake_gpu("GPU-b", 80_GiB, 0, 0)};
  partition(stage);
  const auto found = enumerate(stage);
  ASSERT_THAT(found, SizeIs(4));
  EXPECT_EQ(found[0].device.key, "GPU-a");
  EXPECT_EQ(found[0].device.kind, DeviceKind::Gpu);
  EXPECT_EQ(found[1].device.key, "GPU-b") << "keeps the index that the driver's tools show";
  EXPECT_EQ(found[2].device, (Device{2, "MIG-a", "Stand-in GPU MIG 1g.10gb", "MIG-a", "00000000:00:00.0", "GPU-a",
                                     Vendor::Nvidia, DeviceKind::Mig}));
  EXPECT_EQ(found[3].device.key, "MIG-b");
  EXPECT_EQ(found[3].device.parent_key, "GPU-a");
}

TEST(NvmlDevices, DoesNotNameAnInstanceByItsGpusPciAddress) {
  const Stage stage{fake_gpu("GPU-a", 80_GiB, 0, 0), fake_gpu("GPU-b", 80_GiB, 0, 0)};
  partition(stage);
  stage.fake.force(2, kNvmlFakeUuid, 999);
  stage.fake.force(2, kNvmlFakeName, 999);
  const auto instance = enumerate(stage)[2].device;
  EXPECT_EQ(instance.key, "nvml-2");
  EXPECT_EQ(instance.name, "Stand-in GPU");
}

TEST(NvmlDevices, LooksForInstancesOnlyWhereMigIsEnabled) {
  const Stage stage{fake_gpu("GPU-a", 80_GiB, 0, 0), fake_gpu("GPU-b", 80_GiB, 0, 0)};
  partition(stage);
  stage.fake.change([](NvmlFakeState& state) { state.devices[0].mig_enabled = 0; });
  EXPECT_THAT(enumerate(stage), SizeIs(2));
  EXPECT_EQ(stage.fake.calls(kNvmlFakeMigCount), 0U);
}

TEST(NvmlDevices, NoticesAHandleThatMeansAnotherInstanceNow) {
  const Stage stage{fake_gpu("GPU-a", 80_GiB, 0, 0), fake_gpu("GPU-b", 80_GiB, 0, 0)};
  partition(stage);
  const auto found = enumerate(stage);
  EXPECT_TRUE(is_same_device(stage.library, found[2]));
  stage.fake.change([](NvmlFakeState& state) { std::strcpy(state.devices[2].uuid, "MIG-new"); });
  EXPECT_FALSE(is_same_device(stage.library, found[2]));
  EXPECT_TRUE(is_same_device(stage.library, found[3]));
  const auto asked = stage.fake.calls(kNvmlFakeUuid);
  EXPECT_TRUE(is_same_device(stage.library, found[1]));
  EXPECT_EQ(stage.fake.calls(kNvmlFakeUuid), asked) << "whole GPUs are not asked again";
}

}  // namespace
}  // namespace dualgpuopt::memory::nvml
