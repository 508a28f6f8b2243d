#include "sources/pci_gpus.h"

#include <gtest/gtest.h>

#include "processes/proc_fixture.h"

namespace dualgpuopt::memory {
namespace {

using fixture::directory;
using fixture::file;
using fixture::TemporaryTree;

fixture::Entry pci_device(const char* address, const char* vendor, const char* device_class, const char* status,
                          const char* control) {
  return directory(address, {file("vendor", vendor), file("class", device_class),
                             directory("power", {file("runtime_status", status), file("control", control)})});
}

TemporaryTree bus(std::vector<fixture::Entry> devices) {
  return {directory("sys", {directory("bus", {directory("pci", {directory("devices", std::move(devices))})})})};
}

TEST(PciGpus, AreNvidiasDisplayControllersInTheOrderOfTheirAddresses) {
  const auto tree = bus({pci_device("0000:c1:00.0", "0x10de\n", "0x030200\n", "active\n", "on\n"),
                         pci_device("0000:0a:00.0", "0x10de\n", "0x030000\n", "suspended\n", "auto\n"),
                         pci_device("0000:0a:00.1", "0x10de\n", "0x040300\n", "suspended\n", "auto\n"),
                         pci_device("0000:00:02.0", "0x8086\n", "0x030000\n", "active\n", "auto\n"),
                         pci_device("10000:01:00.0", "0x10de\n", "0x030200\n", "suspending\n", "auto\n")});
  const auto gpus = nvidia_pci_gpus(tree.root());
  ASSERT_EQ(gpus.size(), 3U);
  EXPECT_EQ(gpus[0].address, "00000000:0A:00.0");
  EXPECT_EQ(gpus[0].state, PowerState::Suspended);
  EXPECT_TRUE(gpus[0].may_suspend);
  EXPECT_EQ(gpus[1].address, "00000000:C1:00.0");
  EXPECT_EQ(gpus[1].state, PowerState::Awake);
  EXPECT_FALSE(gpus[1].may_suspend);
  EXPECT_EQ(gpus[2].address, "00010000:01:00.0");
  EXPECT_EQ(gpus[2].state, PowerState::Suspended) << "on its way";
}

TEST(PciGpus, AreAskedOneByOne) {
  const auto tree = bus({pci_device("0000:0a:00.0", "0x10de\n", "0x030000\n", "suspended\n", "auto\n")});
  EXPECT_EQ(power_state(tree.root(), "00000000:0A:00.0"), PowerState::Suspended);
  EXPECT_EQ(power_state(tree.root(), "00000000:0B:00.0"), PowerState::Awake) << "nothing is known of it";
}

TEST(PciGpus, AreNoneWithoutABus) { EXPECT_TRUE(nvidia_pci_gpus("/nowhere").empty()); }

}  // namespace
}  // namespace dualgpuopt::memory
