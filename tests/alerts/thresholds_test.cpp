#include "dualgpuopt/memory/alerts/thresholds.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "alerts/readings.h"

#include <cmath>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::string refusal(const AlertThresholds& thresholds) {
  const auto result = thresholds.validate();
  if (result) return "accepted";
  EXPECT_EQ(result.error().code(), ErrorCode::InvalidArgument);
  return result.error().message();
}

TEST(ReachedHalf, IsThePercentAtTheThresholdItself) {
  const LevelThreshold threshold{80, std::nullopt, {}};
  EXPECT_EQ(reached_half(threshold, use_of_percent(80)), ThresholdKind::Percent);
  EXPECT_EQ(reached_half(threshold, use_of_percent(79.9)), std::nullopt);
}

TEST(ReachedHalf, IsTheFreeBytesWhereOnlyTheyAreReached) {
  const LevelThreshold threshold{80, 30_GiB, {}};
  EXPECT_EQ(reached_half(threshold, use_of_percent(70)), ThresholdKind::FreeBytes);
  EXPECT_EQ(reached_half(threshold, use_of_percent(69)), std::nullopt);
  EXPECT_EQ(reached_half(threshold, use_of_percent(85)), ThresholdKind::Percent);
}

TEST(ReachedHalf, ReachesBothHalvesSoonerWithHysteresis) {
  EXPECT_EQ(reached_half({80, std::nullopt, {}}, use_of_percent(78), 2), ThresholdKind::Percent);
  EXPECT_EQ(reached_half({80, std::nullopt, {}}, use_of_percent(77.9), 2), std::nullopt);
  EXPECT_EQ(reached_half({95, 50_GiB, {}}, use_of_percent(49), 2), ThresholdKind::FreeBytes);
  EXPECT_EQ(reached_half({95, 50_GiB, {}}, use_of_percent(48.9), 2), std::nullopt);
}

TEST(ReachedHalf, NeedsAKnownTotalAndKnownFreeBytes) {
  const LevelThreshold threshold{80, 30_GiB, {}};
  EXPECT_EQ(reached_half(threshold, MemoryUse::from_used_and_total(99_GiB, std::nullopt)), std::nullopt);
  EXPECT_EQ(reached_half(threshold, MemoryUse::from_used_and_total(1, 0)), std::nullopt);
  MemoryUse without_free;
  without_free.used = 75_GiB;
  without_free.total = 100_GiB;
  EXPECT_EQ(reached_half(threshold, without_free), std::nullopt);
}

TEST(MatchLevel, GivesTheHighestLevelThatIsReached) {
  const AlertThresholds thresholds;
  EXPECT_EQ(match_level(thresholds, use_of_percent(79)).level, Level::Normal);
  EXPECT_EQ(match_level(thresholds, use_of_percent(80)).level, Level::Warning);
  EXPECT_EQ(match_level(thresholds, use_of_percent(90)).level, Level::Critical);
  EXPECT_EQ(match_level(thresholds, use_of_percent(100)).level, Level::Emergency);
}

TEST(MatchLevel, ReachesEmergencyByFreeBytesWhileThePercentIsLow) {
  AlertThresholds thresholds;
  thresholds.emergency.free = 40_GiB;
  const auto match = match_level(thresholds, use_of_percent(61));
  EXPECT_EQ(match.level, Level::Emergency);
  EXPECT_EQ(match.reached_by, ThresholdKind::FreeBytes);
}

TEST(AlertThresholds, AreValidAsTheyCome) {
  EXPECT_TRUE(AlertThresholds{}.validate());
  EXPECT_EQ(AlertThresholds{}.of(Level::Critical).percent, 90);
}

TEST(AlertThresholds, RefusePercentsOutOfOrderOrRange) {
  AlertThresholds thresholds;
  thresholds.critical.percent = 96;
  EXPECT_EQ(refusal(thresholds),
            "the alert levels must satisfy 0 < warning <= critical <= emergency <= 100 percent, but are 80, 96 and 95");
  thresholds = {};
  thresholds.emergency.percent = 100.5;
  EXPECT_THAT(refusal(thresholds), HasSubstr("80, 90 and 100.5"));
  thresholds = {};
  thresholds.warning.percent = 0;
  EXPECT_THAT(refusal(thresholds), HasSubstr("0, 90 and 95"));
  thresholds.warning.percent = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(refusal(thresholds), HasSubstr("nan, 90 and 95"));
}

TEST(AlertThresholds, RefuseFreeBytesThatRiseWithTheLevel) {
  AlertThresholds thresholds;
  thresholds.warning.free = 2_GiB;
  thresholds.emergency.free = 3_GiB;
  EXPECT_EQ(refusal(thresholds),
            "the free bytes of the alert levels must not rise with the level, but warning has 2.0 GiB and a higher "
            "level 3.0 GiB");
  thresholds.emergency.free = 2_GiB;
  EXPECT_TRUE(thresholds.validate());
}

TEST(Thresholds, RefusesRangesThatAreEmptyOrFallWithTheLevel) {
  AlertThresholds thresholds;
  thresholds.warning.range = {90, 10};
  EXPECT_TRUE(thresholds.validate()) << "nothing moves";
  thresholds = {};
  thresholds.adaptive = true;
  thresholds.critical.range = {80, 79};
  EXPECT_THAT(refusal(thresholds), HasSubstr("the range of the critical level is 80 to 79 percent"));
  thresholds.critical.range = {50, 95};
  EXPECT_THAT(refusal(thresholds), HasSubstr("the range of the warning level is 60 to 90 percent"));
  thresholds.critical.range = {75, 101};
  EXPECT_THAT(refusal(thresholds), HasSubstr("the range of the critical level"));
  thresholds.critical.range = {std::numeric_limits<double>::quiet_NaN(), 95};
  EXPECT_THAT(refusal(thresholds), HasSubstr("the range of the critical level"));
}

TEST(Thresholds, WantTheHysteresisUnderTheWholeRangeWhereTheyAdapt) {
  AlertThresholds thresholds;
  thresholds.hysteresis_percent = 60;
  EXPECT_TRUE(thresholds.validate());
  thresholds.adaptive = true;
  EXPECT_THAT(refusal(thresholds), HasSubstr("less than the warning level's 60 percent"));
}

TEST(AlertThresholds, RefuseAHysteresisThatWouldNeverEndALevel) {
  AlertThresholds thresholds;
  for (const double hysteresis : {-0.1, 80.0, std::numeric_limits<double>::quiet_NaN()}) {
    thresholds.hysteresis_percent = hysteresis;
    EXPECT_THAT(refusal(thresholds), HasSubstr("hysteresis")) << hysteresis;
  }
  thresholds.hysteresis_percent = 0;
  EXPECT_TRUE(thresholds.validate());
}

TEST(AlertThresholds, RefuseTimesToOomThatRiseWithTheLevelOrAreNone) {
  AlertThresholds thresholds;
  thresholds.critical.time_to_oom = Seconds(61);
  EXPECT_THAT(refusal(thresholds), HasSubstr("must not rise with the level, but warning has 60 s"));
  thresholds.critical.time_to_oom = Seconds(60);
  EXPECT_TRUE(thresholds.validate());
  for (const double none : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    thresholds.critical.time_to_oom = Seconds(none);
    EXPECT_EQ(refusal(thresholds), "the time to OOM of the critical level must be above 0") << none;
  }
}

TEST(AlertThresholds, RefuseNegativeDurations) {
  AlertThresholds thresholds;
  thresholds.critical.minimum_duration = -1ns;
  EXPECT_EQ(refusal(thresholds), "the minimum duration of the critical level is negative");
  thresholds = {};
  thresholds.repeat_interval = -1s;
  EXPECT_THAT(refusal(thresholds), HasSubstr("repeat interval"));
  thresholds = {};
  thresholds.forecast_hold = -1ns;
  EXPECT_THAT(refusal(thresholds), HasSubstr("forecast level"));
}

RC_GTEST_PROP(MatchLevel, NeverFallsWhileUseRises, (std::uint16_t first, std::uint16_t second)) {
  AlertThresholds thresholds;
  thresholds.warning.free = 25'000;
  thresholds.emergency.free = *rc::gen::inRange<Bytes>(0, 25'000);
  const auto level = [&](Bytes used) {
    return match_level(thresholds, MemoryUse::from_used_and_total(used, 0x10000)).level;
  };
  RC_ASSERT(level(std::min(first, second)) <= level(std::max(first, second)));
}

TEST(ToString, NamesTheHalvesOfAThreshold) {
  EXPECT_EQ(to_string(ThresholdKind::TimeToOom), "time_to_oom");
  EXPECT_EQ(to_string(ThresholdKind::Percent), "percent");
  EXPECT_EQ(to_string(ThresholdKind::FreeBytes), "free_bytes");
}

}  // namespace
}  // namespace dualgpuopt::memory
