#include "dualgpuopt/memory/metrics/forecast.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

Forecast of_regime(Regime regime) {
  Forecast forecast;
  forecast.regime = regime;
  forecast.slope_bytes_per_second = 0x1p20 * 12;
  forecast.step = 1_GiB + 205_MiB;
  forecast.period = Seconds(1.5);
  forecast.since_oom = Seconds(45);
  return forecast;
}

TEST(Explain, SaysWhatMadeTheForecast) {
  EXPECT_EQ(explain({}), "too few readings for a forecast");
  EXPECT_EQ(explain(of_regime(Regime::Steady)), "steady");
  EXPECT_EQ(explain(of_regime(Regime::Restless)), "moves without a direction");
  EXPECT_EQ(explain(of_regime(Regime::Growing)), "grows by 12 MiB/s");
  auto falling = of_regime(Regime::Falling);
  falling.slope_bytes_per_second *= -1;
  EXPECT_EQ(explain(falling), "falls by 12 MiB/s");
  EXPECT_EQ(explain(of_regime(Regime::Stepping)), "rises in steps of 1.2 GiB every 1.5 s");
  EXPECT_EQ(explain(of_regime(Regime::Recurring)), "fills up every 1.5 s or so, the last time until 45 s ago");
  EXPECT_EQ(explain(of_regime(Regime::Returning)), "was full until 45 s ago, and what falls mostly comes back");
}

TEST(Regime, HasANameEach) {
  for (const auto& [regime, name] : {std::pair{Regime::Unknown, "unknown"},
                                     {Regime::Steady, "steady"},
                                     {Regime::Restless, "restless"},
                                     {Regime::Growing, "growing"},
                                     {Regime::Falling, "falling"},
                                     {Regime::Stepping, "stepping"},
                                     {Regime::Recurring, "recurring"},
                                     {Regime::Returning, "returning"}}) {
    EXPECT_EQ(to_string(regime), name);
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
