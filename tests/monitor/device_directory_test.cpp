#include "monitor/device_directory.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

std::shared_ptr<const Device> device(int gpu, const std::string& name) {
  Device described;
  described.gpu = gpu;
  described.name = name;
  return std::make_shared<const Device>(described);
}

TEST(DeviceDirectory, ListsDevicesInTheOrderOfTheirIndex) {
  DeviceDirectory directory;
  directory.put(device(2, "late"), std::make_shared<SharedHistory>());
  directory.put(device(0, "first"), std::make_shared<SharedHistory>());
  ASSERT_EQ(directory.devices().size(), 2U);
  EXPECT_EQ(directory.devices()[0].name, "first");
  EXPECT_EQ(directory.devices()[1].gpu, 2);
}

TEST(DeviceDirectory, ReplacesADeviceThatIsDescribedAnew) {
  DeviceDirectory directory;
  const auto history = std::make_shared<SharedHistory>();
  directory.put(device(0, "asleep"), history);
  directory.put(device(0, "awake"), history);
  ASSERT_EQ(directory.devices().size(), 1U);
  EXPECT_EQ(directory.devices()[0].name, "awake");
  EXPECT_EQ(directory.history(0), history);
  EXPECT_EQ(directory.history(1), nullptr);
}

}  // namespace
}  // namespace dualgpuopt::memory
