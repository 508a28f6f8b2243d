#include "sources/wall_time.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

constexpr auto kNoon = std::chrono::sys_days(std::chrono::year(2024) / 5 / 6) + 12h;

TEST(ParseWallTime, ReadsTheFormsThatLogsHave) {
  EXPECT_EQ(parse_wall_time("2024/05/06 12:00:00.123"), kNoon + 123ms);
  EXPECT_EQ(parse_wall_time("2024/05/06 12:00:00"), kNoon);
  EXPECT_EQ(parse_wall_time("2024-05-06 12:00:00.5"), kNoon + 500ms);
  EXPECT_EQ(parse_wall_time("2024-05-06T12:00:00.123456789"), kNoon + 123456789ns);
  EXPECT_EQ(parse_wall_time("2024-05-06T12:00:00Z"), kNoon);
  EXPECT_EQ(parse_wall_time("2024-05-06T14:00:00+02:00"), kNoon);
  EXPECT_EQ(parse_wall_time("2024-05-06T08:30:00.000-0330"), kNoon);
  EXPECT_EQ(parse_wall_time("2024/02/29 00:00:00"), std::chrono::sys_days(std::chrono::year(2024) / 2 / 29));
}

TEST(ParseWallTime, RefusesWhatIsNoMoment) {
  for (const auto* text : {"",
                           "2024",
                           "2024/05/06",
                           "2024/05/06 12:00",
                           "2024/13/06 12:00:00",
                           "2023/02/29 12:00:00",
                           "2024/05/06 24:00:00",
                           "2024/05/06 12:60:00",
                           "2024/05/06 12:00:60",
                           "2024/05-06 12:00:00",
                           "2024/05/06 12:00:00.",
                           "2024/05/06 12:00:00.1234567890",
                           "2024/05/06 12:00:00 UTC",
                           "24/05/06 12:00:00",
                           "2024/5/6 12:00:00",
                           "1969/12/31 23:59:59",
                           "2100/01/01 00:00:00",
                           "2024/05/06 12:00:00+2",
                           "2024/05/06  12:00:00",
                           "2024/05/06 -1:00:00"}) {
    EXPECT_FALSE(parse_wall_time(text)) << text;
  }
}

RC_GTEST_PROP(ParseWallTime, GivesBackWhatFormatWallTimeWrote, ()) {
  const WallTime time(std::chrono::milliseconds(*rc::gen::inRange<std::int64_t>(0, 4'000'000'000'000)));
  RC_ASSERT(parse_wall_time(format_wall_time(time)) == time);
}

}  // namespace
}  // namespace dualgpuopt::memory
