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
  EXPECT_EQ(accuracy.recall(), 0.5);
  EXPECT_EQ(accuracy.precision(), 0.75);
  EXPECT_EQ(to_json(accuracy, 1, {MonoTime(60s), std::nullopt}, Provenance::Replayed),
            R"({"schema":1,"type":"forecast_accuracy","t":60.0,"time":null,"gpu":1,"provenance":"replayed","due":8,)"
            R"("unknown":1,"brier_score":0.25,"interval_coverage":0.75,"exhaustions":2,"foreseen":1,"alarms":4,)"
            R"("alarms_true":3})");
}

}  // namespace
}  // namespace dualgpuopt::memory
