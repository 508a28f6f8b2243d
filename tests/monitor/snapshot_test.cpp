#include "dualgpuopt/memory/monitor/snapshot.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(Snapshot, FindsADeviceByItsIndex) {
  Snapshot snapshot;
  snapshot.devices.resize(2);
  snapshot.devices[0].device = std::make_shared<Device>(Device{3, "a", {}, {}, {}, {}, {}, {}});
  snapshot.devices[1].device = std::make_shared<Device>(Device{7, "b", {}, {}, {}, {}, {}, {}});
  EXPECT_EQ(snapshot.find(7), &snapshot.devices[1]);
  EXPECT_EQ(snapshot.find(0), nullptr);
}

}  // namespace
}  // namespace dualgpuopt::memory
