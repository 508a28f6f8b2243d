#include <cstring>

#include "fakes/nvml/client.h"

namespace nvml_fake {
namespace {

constexpr auto kTwo = R"(
[[gpu]]
uuid = "GPU-a"
[[gpu]]
uuid = "GPU-b"
name = "Second"
pci = "0001:c1:00.0"
)";

TEST(Devices, AreLookedUpByIndex) {
  const Client client(kTwo);
  EXPECT_EQ(client.count(), 2U);
  EXPECT_EQ(client.text("nvmlDeviceGetName", client.gpu(1)), "Second");
  Handle device = nullptr;
  EXPECT_EQ(client.call("nvmlDeviceGetHandleByIndex_v2", 2U, &device), kInvalidArgument);
  EXPECT_EQ(client.call("nvmlDeviceGetHandleByIndex_v2", 0U, static_cast<Handle*>(nullptr)), kInvalidArgument);
  EXPECT_EQ(client.call("nvmlDeviceGetCount_v2", static_cast<unsigned*>(nullptr)), kInvalidArgument);
}

TEST(Devices, AreLookedUpByUuidAndAddress) {
  const Client client(kTwo);
  const auto second = client.gpu(1);
  Handle device = nullptr;
  EXPECT_EQ(client.call("nvmlDeviceGetHandleByUUID", "GPU-b", &device), kSuccess);
  EXPECT_EQ(device, second);
  for (const auto* address : {"0001:c1:00.0", "00000001:C1:00.0"}) {
    device = nullptr;
    EXPECT_EQ(client.call("nvmlDeviceGetHandleByPciBusId_v2", address, &device), kSuccess);
    EXPECT_EQ(device, second);
  }
  EXPECT_EQ(client.call("nvmlDeviceGetHandleByUUID", "GPU-c", &device), kNotFound);
  EXPECT_EQ(client.call("nvmlDeviceGetHandleByPciBusId_v2", "0000:c1:00.0", &device), kNotFound);
  EXPECT_EQ(client.call("nvmlDeviceGetHandleByPciBusId_v2", "nonsense", &device), kNotFound);
}

TEST(Devices, AreNotCountedByTheOldCallsWhereTheyMayNotBeLookedUp) {
  const Client client(kTwo);
  client.fake.force(0, kNvmlFakeHandleByIndex, kNoPermission);
  unsigned count = 0;
  Handle device = nullptr;
  EXPECT_EQ(client.call("nvmlDeviceGetCount_v2", &count), kSuccess);
  EXPECT_EQ(count, 2U);
  EXPECT_EQ(client.call("nvmlDeviceGetHandleByIndex_v2", 0U, &device), kNoPermission);
  EXPECT_EQ(client.call("nvmlDeviceGetCount", &count), kSuccess);
  EXPECT_EQ(count, 1U);
  EXPECT_EQ(client.uuid(client.gpu(0)), "GPU-b");
}

TEST(Devices, NeedRoomForTheirTexts) {
  const Client client(kTwo);
  char uuid[6] = "";
  EXPECT_EQ(client.call("nvmlDeviceGetUUID", client.gpu(0), uuid, 5U), kInsufficientSize) << "and none for the NUL";
  EXPECT_EQ(client.call("nvmlDeviceGetUUID", client.gpu(0), uuid, 6U), kSuccess);
  EXPECT_STREQ(uuid, "GPU-a");
  EXPECT_EQ(client.call("nvmlDeviceGetName", client.gpu(0), static_cast<char*>(nullptr), 96U), kInvalidArgument);
}

TEST(Devices, TellTheirAddressInTheFormOfEachCall) {
  const Client client(kTwo);
  PciInfo info;
  std::memset(&info, 'x', sizeof(info));
  EXPECT_EQ(client.call("nvmlDeviceGetPciInfo_v3", client.gpu(1), &info), kSuccess);
  EXPECT_STREQ(info.bus_id, "00000001:C1:00.0");
  EXPECT_STREQ(info.bus_id_legacy, "0001:C1:00.0");
  EXPECT_EQ(info.domain, 1U);
  EXPECT_EQ(info.bus, 0xC1U);
  std::memset(&info, 'x', sizeof(info));
  EXPECT_EQ(client.call("nvmlDeviceGetPciInfo_v2", client.gpu(1), &info), kSuccess);
  EXPECT_STREQ(info.bus_id_legacy, "0001:C1:00.0");
  EXPECT_EQ(reinterpret_cast<const char*>(&info)[kOldPciInfoSize], 'x') << "nothing is written behind the old form";
}

TEST(Devices, AreNotThereForHandlesThatAreNone) {
  const Client client(kTwo);
  MemoryV1 memory{};
  EXPECT_EQ(client.call("nvmlDeviceGetMemoryInfo", static_cast<void*>(&memory), &memory), kInvalidArgument);
  EXPECT_EQ(client.call("nvmlDeviceGetMemoryInfo", static_cast<void*>(nullptr), &memory), kInvalidArgument);
}

TEST(Telemetry, IsThereForWhatNvtopNeeds) {
  const Client client("[[gpu]]\ntelemetry = {temperature = 61, power = 120, utilization = 77}");
  const auto gpu = client.gpu(0);
  unsigned value = 0;
  EXPECT_EQ(client.call("nvmlDeviceGetTemperature", gpu, 0U, &value), kSuccess);
  EXPECT_EQ(value, 61U);
  EXPECT_EQ(client.call("nvmlDeviceGetPowerUsage", gpu, &value), kSuccess);
  EXPECT_EQ(value, 120'000U);
  Utilization rates{};
  EXPECT_EQ(client.call("nvmlDeviceGetUtilizationRates", gpu, &rates), kSuccess);
  EXPECT_EQ(rates.gpu, 77U);
  EXPECT_EQ(client.call("nvmlDeviceGetClockInfo", gpu, 2U, &value), kSuccess);
  EXPECT_EQ(client.call("nvmlDeviceGetClockInfo", gpu, 4U, &value), kInvalidArgument);
  EXPECT_EQ(client.call("nvmlDeviceGetPcieThroughput", gpu, 1U, &value), kSuccess);
  EXPECT_EQ(client.call("nvmlDeviceGetTemperature", gpu, 1U, &value), kInvalidArgument) << "no such sensor";
}

TEST(Telemetry, ChecksTheVersionOfItsStruct) {
  const Client client("[[gpu]]\ntelemetry = {temperature = 61}", NvmlGeneration::R580);
  TemperatureV1 temperature{0x0100000C, 0, 0};
  EXPECT_EQ(client.call("nvmlDeviceGetTemperatureV", client.gpu(0), &temperature), kSuccess);
  EXPECT_EQ(temperature.temperature, 61);
  temperature.version = 1;
  EXPECT_EQ(client.call("nvmlDeviceGetTemperatureV", client.gpu(0), &temperature), kArgumentVersionMismatch);
}

TEST(Telemetry, IsNotSupportedWhereTheDeviceHasNone) {
  const Client client(R"(
[[gpu]]
kind = "gb10"
[[gpu]]
kind = "mig"
[[gpu.instance]]
slot = 0
)");
  unsigned value = 0;
  EXPECT_EQ(client.call("nvmlDeviceGetFanSpeed", client.gpu(0), &value), kNotSupported);
  EXPECT_EQ(client.call("nvmlDeviceGetTemperature", client.gpu(0), 0U, &value), kSuccess);
  const auto instance = client.instance(client.gpu(1), 0);
  EXPECT_EQ(client.call("nvmlDeviceGetTemperature", instance, 0U, &value), kNotSupported);
  Utilization rates{};
  EXPECT_EQ(client.call("nvmlDeviceGetUtilizationRates", client.gpu(1), &rates), kNotSupported);
  EXPECT_EQ(client.call("nvmlDeviceGetUtilizationRates", instance, &rates), kNotSupported);
}

}  // namespace
}  // namespace nvml_fake
