#include "dualgpuopt/memory/predictor/forecaster.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "predictor/series.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

Forecast ask(const Forecaster& forecaster, Duration horizon, std::optional<Bytes> capacity) {
  return forecaster.forecast({}, horizon, capacity);
}

double seconds_to_oom(const Forecast& forecast) {
  return forecast.time_to_oom.value_or(Seconds(std::numeric_limits<double>::infinity())).count();
}

/// Jobs, plateaus, ramps and noise, at odd intervals, with times that stand still or go back now and then.
Series any_series() {
  Scatter scatter(*rc::gen::arbitrary<std::uint64_t>());
  const auto scale = std::exp2(*rc::gen::inRange(0, 60));
  Series series;
  Duration time{};
  double used = 0;
  const auto count = *rc::gen::inRange(1, 300);
  for (int i = 0; i < count; ++i) {
    const double kind = scatter();
    if (kind < 0.05) used = scatter();
    if (kind > 0.7) used = std::max(0.0, used + 0.01 * (scatter() - 0.4));
    if (kind > 0.98) time += 1h;
    time += Duration(static_cast<std::int64_t>((scatter() - 0.05) * 2e9));
    series.emplace_back(MonoTime(time), static_cast<Bytes>(used * scale));
  }
  return series;
}

void expect_sound(const Forecast& forecast) {
  RC_ASSERT(std::isfinite(forecast.slope_bytes_per_second));
  RC_ASSERT(forecast.expected_used_low <= forecast.expected_used);
  RC_ASSERT(forecast.expected_used <= forecast.expected_used_high);
  if (forecast.risk) RC_ASSERT((*forecast.risk >= 0 && *forecast.risk <= 1));
  RC_ASSERT(forecast.time_to_oom.has_value() == forecast.time_to_oom_low.has_value());
  RC_ASSERT((forecast.time_to_oom.has_value() || !forecast.time_to_oom_high.has_value()));
  if (!forecast.time_to_oom) return;
  RC_ASSERT(forecast.time_to_oom_low->count() >= 0);
  RC_ASSERT(*forecast.time_to_oom_low <= *forecast.time_to_oom);
  RC_ASSERT((!forecast.time_to_oom_high || *forecast.time_to_oom <= *forecast.time_to_oom_high));
  RC_ASSERT(*forecast.time_to_oom <= 24h);
}

TEST(Forecaster, ForeseesNothingBeforeTheFirstSample) {
  const auto forecaster = make_forecaster();
  const auto forecast = forecaster->forecast({MonoTime(5s), std::nullopt}, 60s, 8_GiB);
  EXPECT_EQ(forecast.time.mono, MonoTime(5s));
  EXPECT_EQ(forecast.horizon, 60s);
  EXPECT_FALSE(forecast.risk);
  EXPECT_FALSE(forecast.time_to_oom);
  EXPECT_EQ(forecast.expected_used, 0U);
}

TEST(Forecaster, ForeseesAnExactRampAfterTenSamples) {
  for (const auto interval : {100ms, 1000ms, 15'000ms}) {
    const double rate = 50.0 * 1024 * 1024;  // bytes a second
    const double step = rate * Seconds(interval).count();
    const auto forecaster =
        taught(sampled(10, interval, [&](auto i) { return 0x1p30 + step * static_cast<double>(i); }));
    const auto capacity = 40_GiB;
    const double truth = (0x1p30 * 39 - step * 9) / rate;
    const auto forecast = ask(*forecaster, 60s, capacity);
    EXPECT_NEAR(seconds_to_oom(forecast), truth, 0.02 * truth);
    EXPECT_NEAR(forecast.time_to_oom_low.value_or(Seconds(0)).count(), truth, 0.02 * truth);
    EXPECT_NEAR(forecast.time_to_oom_high.value_or(Seconds(0)).count(), truth, 0.02 * truth);
    EXPECT_LT(*forecast.risk, 0.01);
    EXPECT_GT(*ask(*forecaster, Duration(static_cast<std::int64_t>(truth * 1.02e9)), capacity).risk, 0.99);
    EXPECT_NEAR(forecast.slope_bytes_per_second, rate, 0.02 * rate);
    const double expected = 0x1p30 + step * 9 + rate * 60;
    EXPECT_NEAR(static_cast<double>(forecast.expected_used), expected, 0.02 * expected);
  }
}

TEST(Forecaster, ForeseesARampThatFollowsALoadAndNamesIt) {
  Scatter scatter;
  // 16 GiB in 20 s, a minute of rest, then 100 MiB a second to 24 GiB; 20 MiB of noise.
  const auto use = [&](auto i) {
    const auto second = static_cast<double>(i);
    const double loaded = 0x1p30 * 0.8 * std::min(second, 20.0);
    return loaded + 0x1p20 * (100 * std::max(0.0, second - 80) + 20 * scatter());
  };
  const auto forecast = ask(*taught(sampled(141, 1s, use)), 60s, 24_GiB);
  EXPECT_NEAR(seconds_to_oom(forecast), 21, 5);
  EXPECT_EQ(forecast.regime, Regime::Stepping) << "nearly equal steps, a second apart, are the better account so far";
}

TEST(Forecaster, ForeseesALeakThroughNoise) {
  Scatter scatter;
  // 20 MiB a second from 2 GiB, and 200 MiB of noise: 24 GiB are full after 1126 s.
  const auto use = [&](auto i) { return 0x1p30 * 2 + 0x1p20 * (20 * static_cast<double>(i) + 200 * scatter()); };
  const auto forecast = ask(*taught(sampled(600, 1s, use)), 60s, 24_GiB);
  EXPECT_NEAR(seconds_to_oom(forecast), 526, 26);
  EXPECT_LE(forecast.time_to_oom_low->count(), 526 + 26);
  EXPECT_LT(*forecast.risk, 0.05);
  const auto later = ask(*taught(sampled(1090, 1s, use)), 60s, 24_GiB);
  EXPECT_GT(*later.risk, 0.8);
}

TEST(Forecaster, NeverAlarmsOverASeriesThatNeverGrows) {
  for (const auto interval : {100ms, 1000ms, 60'000ms}) {
    const auto constant = make_forecaster();
    const auto falling = make_forecaster();
    for (int i = 0; i < 500; ++i) {
      constant->update(MonoTime(i * interval), 10_GiB);
      falling->update(MonoTime(i * interval), 10_GiB - static_cast<Bytes>(i / 7) * 10_MiB);
      for (const auto* forecaster : {constant.get(), falling.get()}) {
        const auto forecast = ask(*forecaster, 1h, 10_GiB + 1_MiB);
        ASSERT_FALSE(forecast.time_to_oom);
        ASSERT_EQ(forecast.risk, 0.0);
      }
    }
  }
}

TEST(Forecaster, DoesNotAlarmOverThePlateausNoise) {
  Scatter scatter;
  const auto forecaster = make_forecaster();
  for (int i = 0; i < 3000; ++i) {
    forecaster->update(MonoTime(i * 1s), 17_GiB + static_cast<Bytes>(0x1p30 * scatter()));
    if (i < 60) continue;
    const auto forecast = ask(*forecaster, 60s, 20_GiB);
    ASSERT_FALSE(forecast.time_to_oom) << i;
    ASSERT_LT(*forecast.risk, 0.25) << i;
  }
}

TEST(Forecaster, HasAnIntervalThatHoldsTheUseToCome) {
  Scatter scatter;
  const auto noise = [&] { return 0x1p20 * 200 * scatter(); };
  const auto plateau = sampled(1200, 1s, [&](auto) { return 0x1p34 + noise(); });
  const auto leak = sampled(1200, 1s, [&](auto i) { return 0x1p33 + 0x1p20 * static_cast<double>(i) + noise(); });
  for (const auto& series : {plateau, leak}) {
    const auto forecaster = make_forecaster();
    int inside = 0;
    for (std::size_t i = 0; i + 30 < series.size(); ++i) {
      forecaster->update(series[i].first, series[i].second);
      const auto forecast = ask(*forecaster, 30s, 64_GiB);
      const auto then = series[i + 30].second;
      if (i >= 100 && forecast.expected_used_low <= then && then <= forecast.expected_used_high) ++inside;
    }
    EXPECT_GT(inside, 1070 * 0.75);
  }
}

TEST(Forecaster, LearnsThatTheUseComesBack) {
  // Jobs of a minute that fill the device, and pauses of two minutes.
  const auto busy = [](auto i) { return i % 180 >= 120; };
  const auto forecaster = taught(sampled(900 + 100, 1s, [&](auto i) { return busy(i) ? 20_GiB : 2_GiB; }));
  const auto soon = ask(*forecaster, 60s, 19_GiB);
  EXPECT_GT(*soon.risk, 0.5);
  EXPECT_NEAR(seconds_to_oom(soon), 21, 6);
  EXPECT_LT(*ask(*forecaster, 10s, 19_GiB).risk, 0.1);
  EXPECT_LT(*ask(*forecaster, 60s, 23_GiB).risk, 0.4);
}

TEST(Forecaster, ForeseesEqualStepsAfterAFew) {
  // 16 equal steps of 1.5 s, and 8 of 0.8 s, up to the capacity.
  for (const auto& [steps, seconds] : {std::pair{16, 1.5}, std::pair{8, 0.8}}) {
    const auto rise = [&, steps = steps, seconds = seconds](auto i) {
      return 1_GiB + 64_GiB / static_cast<Bytes>(steps) * static_cast<Bytes>(static_cast<double>(i) * 0.1 / seconds);
    };
    const auto at = static_cast<std::size_t>(4.5 * seconds * 10);
    const double truth = steps * seconds - static_cast<double>(at - 1) * 0.1;
    const auto forecast = ask(*taught(sampled(at, 100ms, rise)), 60s, 65_GiB);
    EXPECT_NEAR(seconds_to_oom(forecast), truth, 0.1 * truth + seconds);
    EXPECT_GT(*forecast.risk, 0.4);
  }
}

TEST(Forecaster, DropsAStaircaseWhoseNextStepDoesNotCome) {
  // A model whose six shards are loaded, and that is all.
  const auto load = [](auto i) { return 2_GiB + 5_GiB * std::min<Bytes>(static_cast<Bytes>(i) / 4, 6); };
  EXPECT_TRUE(ask(*taught(sampled(26, 1s, load)), 60s, 42_GiB).time_to_oom);
  EXPECT_FALSE(ask(*taught(sampled(24 + 30, 1s, load)), 60s, 42_GiB).time_to_oom);
}

TEST(Forecaster, ExpectsAJobThatEndedToComeBackForAsLongAsItHadLasted) {
  const auto job = [](auto i) { return i >= 10 && i < 310 ? 20_GiB : 1_GiB; };
  const auto soon = ask(*taught(sampled(320, 1s, job)), 60s, 19_GiB);
  ASSERT_TRUE(soon.time_to_oom);
  EXPECT_LT(soon.time_to_oom->count(), 60);
  EXPECT_GT(*soon.risk, 0.05);
  EXPECT_FALSE(ask(*taught(sampled(310 + 310, 1s, job)), 60s, 19_GiB).time_to_oom);
  EXPECT_FALSE(ask(*taught(sampled(320, 1s, job)), 60s, 30_GiB).time_to_oom);  // it had never been there
}

TEST(Forecaster, SaysZeroAndCertainAtTheCapacity) {
  const auto forecaster = taught(sampled(20, 1s, [](auto) { return 10_GiB; }));
  for (const auto capacity : {Bytes{0}, 5_GiB, 10_GiB}) {
    const auto forecast = ask(*forecaster, 60s, capacity);
    EXPECT_EQ(forecast.risk, 1.0);
    EXPECT_EQ(forecast.time_to_oom, Seconds(0));
    EXPECT_EQ(forecast.time_to_oom_low, Seconds(0));
    EXPECT_EQ(forecast.time_to_oom_high, Seconds(0));
  }
}

TEST(Forecaster, InventsNoRiskWithoutACapacity) {
  const auto forecast = ask(*taught(sampled(20, 1s, [](auto i) { return 1_GiB * (i + 1); })), 60s, std::nullopt);
  EXPECT_FALSE(forecast.risk);
  EXPECT_FALSE(forecast.time_to_oom);
  EXPECT_GT(forecast.expected_used, 70_GiB);
}

TEST(Forecaster, CountsWhatIsMoreThanADayAwayAsNoneForeseen) {
  const auto forecaster = taught(sampled(100, 1s, [](auto i) { return 1_GiB + i * 10_KiB; }));
  EXPECT_NEAR(seconds_to_oom(ask(*forecaster, 60s, 1_GiB + 800'000_MiB / 1000)), 800 * 102.4 - 99, 1700);
  EXPECT_FALSE(ask(*forecaster, 60s, 3_GiB).time_to_oom);
}

TEST(Forecaster, TakesAnEmptyOrBackwardHorizonAsNow) {
  const auto forecaster = taught(sampled(20, 1s, [](auto i) { return 1_GiB * (i + 1); }));
  for (const Duration horizon : {Duration(0s), Duration(-60s)}) {
    const auto forecast = ask(*forecaster, horizon, 21_GiB);
    EXPECT_EQ(forecast.risk, 0.0);
    EXPECT_NEAR(static_cast<double>(forecast.expected_used), 0x1p30 * 20, 0x1p20);
  }
}

TEST(Forecaster, IgnoresTimesThatDoNotAdvance) {
  const auto clean = sampled(50, 1s, [](auto i) { return 1_GiB + i * i * 1_MiB; });
  auto disturbed = clean;
  for (std::size_t at : {10U, 20U, 30U}) {
    disturbed.insert(disturbed.begin() + static_cast<std::ptrdiff_t>(at), {disturbed[at - 1].first, 30_GiB});
    disturbed.insert(disturbed.begin() + static_cast<std::ptrdiff_t>(at), {MonoTime(-1h), 30_GiB});
  }
  EXPECT_EQ(ask(*taught(disturbed), 60s, 8_GiB), ask(*taught(clean), 60s, 8_GiB));
}

TEST(Forecaster, RecoversFromAnAbsurdSample) {
  const auto forecaster = make_forecaster();
  for (int i = 0; i < 600; ++i) {
    const auto used = i == 100 ? 1'000'000'000'000'000'000U : 1_GiB + static_cast<Bytes>(i) * 10_MiB;
    forecaster->update(MonoTime(i * 1s), used);
    const auto forecast = ask(*forecaster, 60s, 16_GiB);
    ASSERT_TRUE(std::isfinite(*forecast.risk));
    ASSERT_TRUE(std::isfinite(forecast.slope_bytes_per_second));
  }
  EXPECT_NEAR(seconds_to_oom(ask(*forecaster, 60s, 16_GiB)), 1536 - 599, 40);
}

TEST(Forecaster, StartsAfreshAfterReset) {
  const auto forecaster = taught(sampled(100, 1s, [](auto i) { return i * 100_MiB; }));
  forecaster->reset();
  EXPECT_FALSE(ask(*forecaster, 60s, 8_GiB).risk);
  const auto series = sampled(30, 1s, [](auto i) { return 1_GiB + i * 10_MiB; });
  for (const auto& [time, used] : series) forecaster->update(time, used);
  EXPECT_EQ(ask(*forecaster, 60s, 8_GiB), ask(*taught(series), 60s, 8_GiB));
}

TEST(Forecaster, HoldsItsStateInOneSmallPiece) {
  const auto forecaster = make_forecaster();
  EXPECT_LE(malloc_usable_size(forecaster.get()), 64_KiB);
}

RC_GTEST_PROP(Forecaster, IsAlwaysSound, ()) {
  const auto forecaster = make_forecaster();
  const auto capacity = *rc::gen::element(Bytes{0}, Bytes{1}, 1_GiB, 80_GiB, ~Bytes{0});
  const Duration horizon = *rc::gen::element(Duration(0), Duration(1), Duration(60s), Duration::max());
  for (const auto& [time, used] : any_series()) {
    forecaster->update(time, used);
    expect_sound(ask(*forecaster, horizon, capacity));
  }
}

RC_GTEST_PROP(Forecaster, RisksMoreOverALongerHorizonAndLessWithMoreMemory, ()) {
  const auto series = any_series();
  const auto forecaster = taught(series);
  Bytes most = 1;
  for (const auto& sample : series) most = std::max(most, sample.second);
  double last = 0;
  for (double seconds = 0.1; seconds < 90'000; seconds *= 1.3) {
    const auto risk = *ask(*forecaster, Duration(std::llround(seconds * 1e9)), most - most / 10).risk;
    RC_ASSERT(risk >= last - 1e-6);
    last = risk;
  }
  last = 1;
  for (double share = 0.01; share < 2; share += 0.01) {
    const auto risk = *ask(*forecaster, 60s, static_cast<Bytes>(share * static_cast<double>(most))).risk;
    RC_ASSERT(risk <= last + 1e-6);
    last = risk;
  }
}

RC_GTEST_PROP(Forecaster, NeverTellsATimeWithoutARisk, ()) {
  const auto series = any_series();
  const auto forecaster = taught(series);
  const auto capacity = series.back().second + 1 + series.back().second / 20;
  const auto forecast = ask(*forecaster, 60s, capacity);
  RC_PRE(seconds_to_oom(forecast) <= 60);
  // Half of at least a quarter comes within the horizon, and a fifth of that counts in the risk.
  RC_ASSERT(*forecast.risk >= 0.2 * 0.5 * 0.25 - 1e-3);
}

RC_GTEST_PROP(Forecaster, NeverTellsATimeOverASeriesThatNeverGrows, ()) {
  auto series = any_series();
  for (std::size_t i = 1; i < series.size(); ++i) series[i].second = std::min(series[i].second, series[i - 1].second);
  const auto forecaster = make_forecaster();
  const auto capacity = series.front().second + *rc::gen::element(1_KiB, 1_GiB);
  for (const auto& [time, used] : series) {
    forecaster->update(time, used);
    const auto forecast = ask(*forecaster, 60s, capacity);
    RC_ASSERT(!forecast.time_to_oom);
    RC_ASSERT(*forecast.risk == 0.0);
  }
}

RC_GTEST_PROP(Forecaster, DependsNeitherOnTheUnitNorOnTheOriginOfTime, ()) {
  auto series = sampled(200, 1s, [scatter = Scatter(*rc::gen::arbitrary<std::uint64_t>())](auto) mutable {
    return std::floor(0x1p30 * scatter());
  });
  const Bytes capacity = 1100 << 20;
  const auto forecast = ask(*taught(series), 60s, capacity);
  for (auto& [time, used] : series) time += 1000h;
  RC_ASSERT(ask(*taught(series), 60s, capacity) == forecast);
  for (auto& [time, used] : series) used *= 1024;
  const auto scaled = ask(*taught(series), 60s, capacity * 1024);
  RC_ASSERT(std::abs(*scaled.risk - *forecast.risk) < 1e-6);
  RC_ASSERT(scaled.time_to_oom == forecast.time_to_oom);
  RC_ASSERT(scaled.expected_used / 1024 == forecast.expected_used);
}

}  // namespace
}  // namespace dualgpuopt::memory
