#include "dualgpuopt/memory/metrics/device_event.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(DeviceEvent, SaysWhatTheNumberMeansWhereThatIsShort) {
  EXPECT_EQ((DeviceEvent{{}, DeviceEventKind::Xid, 79}.text()), "Xid 79 (the GPU has fallen off the bus)");
  EXPECT_EQ((DeviceEvent{{}, DeviceEventKind::Xid, 12345}.text()), "Xid 12345");
  EXPECT_EQ((DeviceEvent{{}, DeviceEventKind::EccCorrected, 0}.text()), "corrected ECC error");
  EXPECT_EQ((DeviceEvent{{}, DeviceEventKind::EccUncorrected, 0}.text()), "uncorrected ECC error");
}

TEST(DeviceEvent, HasAWordForEveryKind) {
  EXPECT_EQ(to_string(DeviceEventKind::Xid), "xid");
  EXPECT_EQ(to_string(DeviceEventKind::EccCorrected), "ecc_corrected");
  EXPECT_EQ(to_string(DeviceEventKind::EccUncorrected), "ecc_uncorrected");
}

}  // namespace
}  // namespace dualgpuopt::memory
