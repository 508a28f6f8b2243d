#include "dualgpuopt/memory/metrics/device.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(Vendor, HasAName) {
  EXPECT_EQ(to_string(Vendor::Unknown), "unknown");
  EXPECT_EQ(to_string(Vendor::Nvidia), "nvidia");
  EXPECT_EQ(to_string(Vendor::Amd), "amd");
  EXPECT_EQ(to_string(Vendor::Intel), "intel");
}

TEST(DeviceKind, HasAName) {
  EXPECT_EQ(to_string(DeviceKind::Gpu), "gpu");
  EXPECT_EQ(to_string(DeviceKind::Mig), "mig");
  EXPECT_EQ(to_string(DeviceKind::Integrated), "integrated");
}

}  // namespace
}  // namespace dualgpuopt::memory
