#include "dualgpuopt/memory/recovery/forecast_trigger.h"

#include <gtest/gtest.h>

#include "recovery/readings.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;

Forecast foreseen(std::optional<Seconds> time) {
  Forecast forecast;
  forecast.time_to_oom = time;
  return forecast;
}

TEST(ForecastTrigger, StartsWhenTheTimeLeftIsNoMoreThanRecoveryTakes) {
  const LadderConfig config;  // a margin of 5 s
  EXPECT_TRUE(is_sooner_than_recovery(foreseen(0s), config, 3s));
  EXPECT_TRUE(is_sooner_than_recovery(foreseen(8s), config, 3s));
  EXPECT_FALSE(is_sooner_than_recovery(foreseen(8.1s), config, 3s));
  EXPECT_FALSE(is_sooner_than_recovery(foreseen(std::nullopt), config, 3s));
}

TEST(ForecastTrigger, CanBeSwitchedOff) {
  LadderConfig config;
  config.by_forecast = false;
  EXPECT_FALSE(is_sooner_than_recovery(foreseen(0s), config, 3s));
}

TEST(ForecastTarget, LeavesRoomUntilTheNextClimbHasDoneItsWork) {
  const LadderConfig config;  // 30 s of cooldown, 5 s of margin, a target of 75 %
  // 2 GiB in 20 s, for 30 + 5 + 5 s: 4 GiB have to be free.
  EXPECT_EQ(forecast_target(22_GiB, 24_GiB, 20s, config, 5s), 20_GiB);
}

TEST(ForecastTarget, NeverFreesMoreThanTheTargetPercentWould) {
  const LadderConfig config;
  EXPECT_EQ(forecast_target(22_GiB, 24_GiB, 1s, config, 5s), 16_GiB) << "6 GiB are what 75 % leave free";
  EXPECT_EQ(forecast_target(22_GiB, 24_GiB, 0s, config, 5s), 16_GiB);
  EXPECT_EQ(forecast_target(24_GiB, 24_GiB, 0s, config, 5s), 18_GiB);
  EXPECT_EQ(forecast_target(2_GiB, 24_GiB, 1s, config, 5s), 0U);
}

TEST(ForecastTarget, FreesNothingWhereThereIsTimeEnough) {
  EXPECT_EQ(forecast_target(22_GiB, 24_GiB, 40s, {}, 5s), 22_GiB);
  EXPECT_EQ(forecast_target(22_GiB, 24_GiB, 80s, {}, 5s), 22_GiB);
}

}  // namespace
}  // namespace dualgpuopt::memory
