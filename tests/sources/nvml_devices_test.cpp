#include "sources/nvml_devices.h"

#include <gmock/gmock.h>

#include "processes/proc_fixture.h"
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

Result<std::vector<NvmlDevice>> look(const Stage& stage, const std::filesystem::path& root = "/nowhere",
                                     WakePolicy wake = WakePolicy::LeaveAsleep) {
  Lookups lookups(std::chrono::minutes(1));
  return look_for_devices(Session::open(stage.fake.path()).value(), root, wake, lookups);
}

std::vector<NvmlDevice> enumerate(const Stage& stage, std::vector<NvmlDevice> before = {}) {
  return join_devices(std::move(before), look(stage).value());
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
  EXPECT_EQ(found[1].handle, nullptr);
  EXPECT_THAT(found[1].reason, HasSubstr("Insufficient Permissions (NVML code 4)"));
  EXPECT_EQ(found[2].device.key, "GPU-c");
  EXPECT_NE(found[2].handle, nullptr);
}

TEST(NvmlDevices, KeepsTheIdentityOfAGpuThatGotLost) {
  const Stage stage{fake_gpu("GPU-a", 24_GiB, 0, 0), fake_gpu("GPU-b", 24_GiB, 0, 0)};
  const auto before = enumerate(stage);
  for (const int code : {15, 999}) {
    stage.fake.force(1, kNvmlFakeHandleByIndex, code);
    const auto after = enumerate(stage, before);
    EXPECT_EQ(devices_of(after), devices_of(before));
    EXPECT_NE(after[0].handle, nullptr);
    EXPECT_EQ(after[1].handle, nullptr);
    EXPECT_THAT(after[1].reason, HasSubstr("NVML code " + std::to_string(code)));
  }
  stage.fake.force(1, kNvmlFakeHandleByIndex, 0);
  EXPECT_NE(enumerate(stage, before)[1].handle, nullptr) << "it is back";
}

TEST(NvmlDevices, KeepsEveryDeviceInItsPlaceWhenTheDriversOrderChanges) {
  const Stage stage{fake_gpu("GPU-a", 24_GiB, 0, 0), fake_gpu("GPU-b", 24_GiB, 0, 0), fake_gpu("GPU-c", 24_GiB, 0, 0)};
  const auto before = enumerate(stage);
  stage.fake.change([](NvmlFakeState& state) {  // GPU-a is gone, and a new one comes first
    state.devices[0] = fake_gpu("GPU-d", 8_GiB, 0, 0);
    std::swap(state.devices[1], state.devices[2]);
  });
  const auto after = enumerate(stage, before);
  ASSERT_THAT(after, SizeIs(4));
  EXPECT_EQ(after[0].device, before[0].device);
  EXPECT_EQ(after[0].handle, nullptr);
  EXPECT_THAT(after[0].reason, HasSubstr("does not list it any more"));
  EXPECT_EQ(after[1].device, before[1].device);
  EXPECT_EQ(after[1].index, 2U) << "the driver's own number for it now";
  EXPECT_EQ(after[2].device, before[2].device);
  EXPECT_EQ(after[3].device.key, "GPU-d");
  EXPECT_EQ(after[3].device.gpu, 3);
}

TEST(NvmlDevices, TakesADeviceBackThatWasGone) {
  const Stage stage{fake_gpu("GPU-a", 24_GiB, 0, 0), fake_gpu("GPU-b", 24_GiB, 0, 0)};
  const auto before = enumerate(stage);
  stage.fake.change([](NvmlFakeState& state) { state.gpus = 1; });
  const auto without = enumerate(stage, before);
  ASSERT_THAT(without, SizeIs(2));
  EXPECT_EQ(without[1].handle, nullptr);
  stage.fake.change([](NvmlFakeState& state) { state.gpus = 2; });
  const auto again = enumerate(stage, without);
  EXPECT_EQ(devices_of(again), devices_of(before));
  EXPECT_NE(again[1].handle, nullptr);
}

TEST(NvmlDevices, DoesNotGuessWhoIsLostWhenTheCountChanged) {
  const Stage stage{fake_gpu("GPU-a", 24_GiB, 0, 0), fake_gpu("GPU-b", 24_GiB, 0, 0)};
  const auto before = enumerate(stage);
  stage.fake.force(1, kNvmlFakeHandleByIndex, 15);
  stage.fake.change([](NvmlFakeState& state) {
    state.gpus = 3;
    state.devices[2] = fake_gpu("GPU-c", 24_GiB, 0, 0);
  });
  const auto after = enumerate(stage, before);
  ASSERT_THAT(after, SizeIs(4));
  EXPECT_THAT(after[1].reason, HasSubstr("does not list it any more"));
  EXPECT_EQ(after[2].device.key, "nvml-2") << "nobody knows which one it is";
  EXPECT_THAT(after[2].reason, HasSubstr("GPU is lost"));
}

TEST(NvmlDevices, GrowsByNoMoreThanOnePlaceForEachThatNobodyCanName) {
  const Stage stage{fake_gpu("GPU-a", 24_GiB, 0, 0), fake_gpu("GPU-b", 24_GiB, 0, 0)};
  auto known = enumerate(stage);
  stage.fake.force(1, kNvmlFakeHandleByIndex, 15);
  stage.fake.change([](NvmlFakeState& state) {
    state.gpus = 3;
    state.devices[2] = fake_gpu("GPU-c", 24_GiB, 0, 0);
  });
  for (int i = 0; i < 5; ++i) {
    stage.fake.force(2, kNvmlFakeHandleByIndex, i % 2 == 0 ? 15 : 0);
    known = enumerate(stage, std::move(known));
  }
  EXPECT_LE(known.size(), 5U);
}

TEST(NvmlDevices, PutsNoNumbersUnderANameThatTheDriverDoesNotConfirm) {
  auto second = fake_gpu("GPU-b", 24_GiB, 0, 0);
  second.pci_bus = 0x41;
  const Stage stage{fake_gpu("GPU-a", 24_GiB, 0, 0), second};
  const auto before = enumerate(stage);
  stage.fake.force(1, kNvmlFakeUuid, 999);
  EXPECT_NE(enumerate(stage, before)[1].handle, nullptr) << "its address tells";
  stage.fake.force(1, kNvmlFakePciInfo, 999);
  const auto after = enumerate(stage, before);
  ASSERT_THAT(after, SizeIs(2));
  EXPECT_EQ(after[1].device, before[1].device);
  EXPECT_EQ(after[1].handle, nullptr);
  EXPECT_THAT(after[1].reason, HasSubstr("does not say which one it is"));
}

TEST(NvmlDevices, KnowsAGpuByItsIdentityEvenIfANamelessOneComesFirst) {
  const Stage stage{fake_gpu("GPU-a", 24_GiB, 0, 0), fake_gpu("GPU-b", 24_GiB, 0, 0)};
  const auto before = enumerate(stage);
  stage.fake.change([](NvmlFakeState& state) { std::swap(state.devices[0], state.devices[1]); });
  stage.fake.force(0, kNvmlFakeHandleByIndex, 15);
  const auto after = enumerate(stage, before);
  ASSERT_THAT(after, SizeIs(3));
  EXPECT_EQ(after[0].device, before[0].device);
  EXPECT_NE(after[0].handle, nullptr);
  EXPECT_THAT(after[1].reason, HasSubstr("does not list it any more"));
  EXPECT_THAT(after[2].reason, HasSubstr("GPU is lost"));
}

TEST(NvmlDevices, DoesNotReadAnInstanceWithoutUuid) {
  const Stage stage{fake_gpu("GPU-a", 80_GiB, 0, 0), fake_gpu("GPU-b", 80_GiB, 0, 0)};
  partition(stage);
  const auto before = enumerate(stage);
  stage.fake.force(2, kNvmlFakeUuid, 999);
  const auto after = enumerate(stage, enumerate(stage, before));
  ASSERT_THAT(after, SizeIs(5)) << "one place for it, however often it is looked at";
  EXPECT_THAT(after[2].reason, HasSubstr("does not list it any more"));
  EXPECT_EQ(after[4].handle, nullptr);
  EXPECT_THAT(after[4].reason, HasSubstr("does not say which one it is"));
}

TEST(NvmlDevices, IsEmptyWithoutGpus) {
  const Stage stage{};
  EXPECT_THAT(enumerate(stage), IsEmpty());
}

TEST(NvmlDevices, FailsAsAWholeOnlyIfThereIsNoCount) {
  const Stage stage{};
  stage.fake.force(kNvmlFakeCount, 999);
  const auto found = look(stage);
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
  EXPECT_EQ(found[0].device.kind, DeviceKind::Partitioned);
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

TEST(NvmlDevices, KnowsAGpuThatSharesTheHostsMemory) {
  const Stage stage{fake_gpu("GPU-a", 80_GiB, 0, 0), fake_gpu("GPU-b", 80_GiB, 0, 0)};
  stage.fake.force(0, kNvmlFakeMemoryV1, 3);
  stage.fake.force(0, kNvmlFakeMemoryV2, 3);
  stage.fake.force(1, kNvmlFakeMemoryV2, 3);
  const auto found = enumerate(stage);
  EXPECT_EQ(found[0].device.kind, DeviceKind::Integrated);
  EXPECT_EQ(found[1].device.kind, DeviceKind::Gpu);
}

/// Two GPUs on the bus; the second is in this power state.
fixture::TemporaryTree bus_with(const std::string& state) {
  using namespace fixture;
  const auto gpu = [](const char* address, const std::string& power) {
    return directory(address, {file("vendor", "0x10de\n"), file("class", "0x030200\n"),
                               directory("power", {file("runtime_status", power), file("control", "auto\n")})});
  };
  return {
      directory("sys", {directory("bus", {directory("pci", {directory("devices", {gpu("0000:01:00.0", "active\n"),
                                                                                  gpu("0000:41:00.0", state)})})})})};
}

std::initializer_list<NvmlFakeDevice> gpus_on_bus() {
  static auto first = fake_gpu("GPU-a", 24_GiB, 0, 0);
  static auto second = fake_gpu("GPU-b", 24_GiB, 0, 0);
  first.pci_bus = 0x01;
  second.pci_bus = 0x41;
  static const std::initializer_list<NvmlFakeDevice> gpus{first, second};
  return gpus;
}

TEST(NvmlDevices, LeavesASleepingGpuAlone) {
  const auto tree = bus_with("suspended\n");
  const Stage stage(gpus_on_bus());
  const auto found = join_devices({}, look(stage, tree.root()).value());
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].device.key, "GPU-a");
  EXPECT_TRUE(found[0].may_suspend);
  EXPECT_EQ(found[1].device.key, "00000000:41:00.0");
  EXPECT_EQ(found[1].handle, nullptr);
  EXPECT_THAT(found[1].reason, HasSubstr("--wake"));
  EXPECT_EQ(stage.fake.calls(kNvmlFakeHandleByIndex), 0U) << "a look-up by index may wake all";
}

TEST(NvmlDevices, WakesASleepingGpuWhenTold) {
  const auto tree = bus_with("suspended\n");
  const Stage stage(gpus_on_bus());
  const auto found = look(stage, tree.root(), WakePolicy::Wake).value();
  EXPECT_EQ(found[1].device.uuid, "GPU-b");
  EXPECT_FALSE(found[1].may_suspend);
}

TEST(NvmlDevices, KeepsAGpuInItsPlaceWhenItWakesUp) {
  const Stage stage(gpus_on_bus());
  const auto asleep = bus_with("suspended\n");
  const auto awake = bus_with("active\n");
  const auto before = join_devices({}, look(stage, asleep.root()).value());
  const auto after = join_devices(before, look(stage, awake.root()).value());
  ASSERT_THAT(after, SizeIs(2));
  EXPECT_EQ(after[1].device.gpu, 1);
  EXPECT_EQ(after[1].device.key, "00000000:41:00.0") << "known under it in this run";
  EXPECT_EQ(after[1].device.uuid, "GPU-b");
  EXPECT_NE(after[1].handle, nullptr);
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
