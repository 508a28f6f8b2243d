#include "dualgpuopt/memory/metrics/forecast_accuracy.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

TEST(ForecastAccuracy, SaysNothingOfWhatNeverHappened) {
  const ForecastAccuracy none;
  EXPECT_FALSE(none.brier_score());
  EXPECT_FALSE(none.recall());
  EXPECT_FALSE(none.precision());
  EXPECT_FALSE(none.interval_coverage());
  EXPECT_FALSE(none.calibration_error());
  EXPECT_EQ(none.text(), "no forecast has come due yet");
}

TEST(ForecastAccuracy, ComparesRisksWithHowOftenItHappened) {
  ForecastAccuracy accuracy;
  accuracy.due = 20;
  accuracy.calibration[0] = {10, 0, 0.5};  // said 5 %, never happened
  accuracy.calibration[8] = {10, 7, 8.5};  // said 85 %, happened in 70 %
  EXPECT_DOUBLE_EQ(*accuracy.calibration_error(), 0.1);
  EXPECT_EQ(accuracy.text(), "20 forecasts came due: nothing ran out, no alarms, risk off by 0.100");
}

TEST(ForecastAccuracy, IsOneJsonLine) {
  ForecastAccuracy accuracy;
  accuracy.due = 8;
  accuracy.unknown = 1;
  accuracy.squared_error = 2;
  accuracy.inside_interval = 6;
  accuracy.exhaustions = 2;
  accuracy.foreseen = 1;
  accuracy.alarms = 4;
  accuracy.alarms_true = 3;
  accuracy.calibration[1] = {8, 2, 1};
  EXPECT_EQ(accuracy.text(),
            "8 forecasts came due: 1 of 2 exhaustions foreseen, 3 of 4 alarms came true, risk off by 0.125");
  EXPECT_EQ(accuracy.recall(), 0.5);
  EXPECT_EQ(accuracy.precision(), 0.75);
  EXPECT_EQ(
      to_json(accuracy, 1, {MonoTime(60s), std::nullopt}, Provenance::Replayed),
      R"({"schema":1,"type":"forecast_accuracy","t":60.0,"time":null,"gpu":1,"provenance":"replayed","due":8,)"
      R"("unknown":1,"brier_score":0.25,"calibration_error":0.125,"interval_coverage":0.75,"exhaustions":2,"foreseen":1,"alarms":4,)"
      R"("alarms_true":3})");
}

}  // namespace
}  // namespace dualgpuopt::memory
