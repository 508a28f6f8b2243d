#include "cli/device_table.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "cli/snapshots.h"

namespace dualgpuopt::memory::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string as_picture(const std::vector<std::string>& lines) {
  std::string picture = "\n";
  for (const auto& line : lines) picture += line + "|\n";
  return picture;
}

TEST(DeviceTable, ReadsAsATable) {
  const auto snapshot =
      snapshot_of({device_at(0, 9_GiB), device_running_out(1, 22_GiB, 70), unavailable_device(2, "GPU is lost")});
  EXPECT_EQ(as_picture(device_table(snapshot, {110, Colors::Off, ByteUnit::Auto})), R"(
GPU  NAME          MEMORY                        USED  LEVEL      TREND       OUT OF MEMORY                   |
0    NVIDIA L4     ███░░░░░    9.0 / 24.0 GiB   37.5%  normal     steady      none foreseen                   |
1    NVIDIA L4     ███████▍   22.0 / 24.0 GiB   91.7%  critical   +12 MiB/s   in 1 min 10 s (35 s to 1 min 45…|
     grows by 12 MiB/s                                                                                        |
2    NVIDIA L4     unavailable: GPU is lost                                                                   |
)");
}

TEST(DeviceTable, SaysHowOldAStaleReadingIs) {
  auto snapshot = snapshot_of({device_running_out(0, 22_GiB, 70)});
  snapshot.devices[0].status = DeviceStatus::Stale;
  snapshot.devices[0].reason = "no reading for 4 s";
  const auto row = device_table(snapshot, {120, Colors::Off, ByteUnit::Auto})[1];
  EXPECT_THAT(row, HasSubstr("stale: no reading for 4 s"));
  EXPECT_THAT(row, Not(HasSubstr("MiB/s")));
}

TEST(DeviceTable, ShowsNoShareWithoutATotal) {
  auto snapshot = snapshot_of({device_at(0, 9_GiB)});
  snapshot.devices[0].reading.memory = MemoryUse::from_used_and_total(9_GiB, std::nullopt);
  const auto row = device_table(snapshot, {100, Colors::Off, ByteUnit::Auto})[1];
  EXPECT_THAT(row, HasSubstr("9.0 GiB"));
  EXPECT_THAT(row, Not(HasSubstr("%")));
  EXPECT_THAT(row, Not(HasSubstr("░")));
}

RC_GTEST_PROP(DeviceTable, HasLinesOfOneWidth, ()) {
  const auto width = *rc::gen::inRange<std::size_t>(kNarrowest + 30, 220);
  auto snapshot = snapshot_of({device_at(0, *rc::gen::inRange<Bytes>(0, 24_GiB)), device_running_out(1, 23_GiB, 4000),
                               unavailable_device(2, std::string(*rc::gen::inRange<std::size_t>(1, 300), 'x'))});
  for (const auto& line : device_table(snapshot, {width, Colors::On, ByteUnit::Auto})) {
    RC_ASSERT(display_width(line) <= width);
  }
}

TEST(ProcessLines, ShowTheLargestFirstAndHowManyMore) {
  auto device = device_at(0, 9_GiB);
  ProcessList list;
  for (const Bytes gib : {1, 3, 2}) list.entries.push_back({static_cast<pid_t>(gib * 100), {}, gib * 1_GiB, {}, "job"});
  list.entries.push_back({7, {}, {}, {}, ""});
  device.processes = std::make_shared<ProcessList>(list);
  EXPECT_THAT(process_lines(device, {}, 2),
              ElementsAre("          300     3.0 GiB  job", "          200     2.0 GiB  job", "     and 2 more"));
  EXPECT_EQ(process_lines(device, {}, 9).back(), "            7    not told  (not visible from here)");
}

TEST(ProcessLines, SayWhyThereAreNone) {
  auto device = device_at(0, 9_GiB);
  EXPECT_TRUE(process_lines(device, {}, 9).empty());
  device.processes = std::make_shared<ProcessList>(ProcessList{{}, {}, "No Permission"});
  EXPECT_THAT(process_lines(device, {}, 9), ElementsAre("     processes not known: No Permission"));
}

}  // namespace
}  // namespace dualgpuopt::memory::cli
