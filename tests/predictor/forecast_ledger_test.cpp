#include "dualgpuopt/memory/predictor/forecast_ledger.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "dualgpuopt/memory/predictor/forecaster.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

constexpr Bytes kCapacity = 100;

/// Expects between 0 and 60 bytes in use.
Forecast saying(double risk, std::optional<double> time_to_oom = std::nullopt) {
  Forecast forecast;
  forecast.horizon = 60s;
  forecast.risk = risk;
  if (time_to_oom) forecast.time_to_oom = Seconds(*time_to_oom);
  forecast.expected_used_high = 60;
  return forecast;
}

/// A sample a second, from second `from` up to but without `to`.
void add(ForecastLedger& ledger, int from, int to, Bytes used, const Forecast& forecast) {
  for (int second = from; second < to; ++second) ledger.add(MonoTime(second * 1s), used, kCapacity, forecast);
}

TEST(ForecastLedger, CountsOnlyWhatCameDue) {
  ForecastLedger ledger;
  add(ledger, 0, 121, 50, saying(0.1));
  EXPECT_EQ(ledger.accuracy().due, 0U);
  add(ledger, 121, 181, 50, saying(0.1));
  const auto& accuracy = ledger.accuracy();
  EXPECT_EQ(accuracy.due, 15U);  // of the first 60 s, one each 4 s
  EXPECT_NEAR(accuracy.brier_score().value_or(1), 0.01, 1e-9);
  EXPECT_EQ(accuracy.interval_coverage(), 1.0);
  EXPECT_EQ(accuracy.exhaustions, 0U);
  EXPECT_FALSE(accuracy.recall());
}

TEST(ForecastLedger, SeesWhetherAnExhaustionWasForeseen) {
  ForecastLedger ledger;
  add(ledger, 0, 100, 50, saying(0));
  add(ledger, 100, 130, 80, saying(1, 30));
  add(ledger, 130, 140, kCapacity, saying(1, 0));
  add(ledger, 140, 300, 50, saying(0));
  add(ledger, 300, 310, kCapacity, saying(1, 0));
  add(ledger, 310, 700, 50, saying(0));
  const auto& accuracy = ledger.accuracy();
  EXPECT_EQ(accuracy.exhaustions, 2U);
  EXPECT_EQ(accuracy.foreseen, 1U);
  EXPECT_EQ(accuracy.alarms, 8U);
  EXPECT_EQ(accuracy.alarms_true, 8U);
}

TEST(ForecastLedger, SeesAFalseAlarm) {
  ForecastLedger ledger;
  add(ledger, 0, 60, 50, saying(0.6, 40));
  add(ledger, 60, 300, 50, saying(0));
  EXPECT_EQ(ledger.accuracy().alarms, 15U);
  EXPECT_EQ(ledger.accuracy().alarms_true, 0U);
}

TEST(ForecastLedger, DoesNotCountAWarningThatComesTooLate) {
  ForecastLedger ledger;
  add(ledger, 0, 57, 50, saying(0));
  add(ledger, 57, 60, 95, saying(1, 2));
  add(ledger, 60, 61, kCapacity, saying(1, 0));
  EXPECT_EQ(ledger.accuracy().exhaustions, 1U);
  EXPECT_EQ(ledger.accuracy().foreseen, 0U);
}

TEST(ForecastLedger, DoesNotJudgeOverAGap) {
  ForecastLedger ledger;
  add(ledger, 0, 10, 50, saying(0));
  add(ledger, 1000, 1200, 50, saying(0));
  EXPECT_EQ(ledger.accuracy().unknown, 3U);
}

TEST(ForecastLedger, ComparesTheUseWithoutACapacity) {
  ForecastLedger ledger;
  auto forecast = saying(0);
  forecast.risk.reset();
  for (int second = 0; second < 300; ++second) ledger.add(MonoTime(second * 1s), 70, std::nullopt, forecast);
  EXPECT_GT(ledger.accuracy().due, 20U);
  EXPECT_EQ(ledger.accuracy().interval_coverage(), 0.0);
}

TEST(ForecastLedger, DropsWhatIsOpenWhenTheCapacityChanges) {
  ForecastLedger ledger;
  add(ledger, 0, 100, 50, saying(0));
  for (int second = 100; second < 160; ++second) ledger.add(MonoTime(second * 1s), 50, 40, saying(1, 0));
  add(ledger, 160, 290, 50, saying(0));
  EXPECT_EQ(ledger.accuracy().exhaustions, 1U);
  EXPECT_LE(ledger.accuracy().due, 3U);
}

RC_GTEST_PROP(ForecastLedger, NeverCountsMoreThanThereWas, ()) {
  ForecastLedger ledger;
  const auto forecaster = make_forecaster();
  MonoTime time{};
  const auto count = *rc::gen::inRange(1, 400);
  for (int i = 0; i < count; ++i) {
    time += Duration(*rc::gen::inRange<std::int64_t>(-1'000'000'000, 9'000'000'000));
    const auto used = *rc::gen::inRange<Bytes>(0, 120);
    forecaster->update(time, used);
    ledger.add(time, used, kCapacity, forecaster->forecast({time, {}}, 20s, kCapacity));
    const auto& accuracy = ledger.accuracy();
    RC_ASSERT(accuracy.alarms_true <= accuracy.alarms);
    RC_ASSERT(accuracy.alarms <= accuracy.due);
    RC_ASSERT(accuracy.foreseen <= accuracy.exhaustions);
    RC_ASSERT(accuracy.inside_interval <= accuracy.due);
    RC_ASSERT(std::isfinite(accuracy.squared_error));
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
