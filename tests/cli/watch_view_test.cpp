#include "cli/watch_view.h"

#include <gmock/gmock.h>

#include "cli/snapshots.h"

namespace dualgpuopt::memory::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(WatchFrame, IsATitleATableAndEvents) {
  const auto snapshot = snapshot_of({device_at(0, 9_GiB)}, Provenance::Simulated);
  const auto frame = watch_frame(snapshot, "sim:demo", {"first", "second"}, {100, Colors::Off, ByteUnit::Auto}, 24);
  ASSERT_EQ(frame.size(), 8U);
  EXPECT_THAT(frame[0], StartsWith("gpumem  SIMULATED  1 GPU from sim:demo  t=12.500"));
  EXPECT_THAT(frame[2], StartsWith("GPU  NAME"));
  EXPECT_THAT(frame[3], StartsWith("0    NVIDIA L4"));
  EXPECT_THAT(frame[5], StartsWith("EVENTS"));
  EXPECT_THAT(frame[7], StartsWith("second"));
}

TEST(WatchFrame, KeepsTheNewestEventsWhereThereIsLittleRoom) {
  const auto snapshot = snapshot_of({device_at(0, 9_GiB)});
  const auto frame = watch_frame(snapshot, "auto", {"first", "second"}, {100, Colors::Off, ByteUnit::Auto}, 7);
  ASSERT_EQ(frame.size(), 7U);
  EXPECT_THAT(frame.back(), StartsWith("second"));
}

TEST(WatchFrame, SaysWhenNothingHappened) {
  const auto frame = watch_frame(snapshot_of({}), "auto", {}, {80, Colors::Off, ByteUnit::Auto}, 24);
  EXPECT_EQ(frame.back(), "none yet");
  EXPECT_THAT(frame[0], HasSubstr("0 GPUs"));
}

}  // namespace
}  // namespace dualgpuopt::memory::cli
