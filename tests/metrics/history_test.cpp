#include "dualgpuopt/memory/metrics/history.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "metrics/naive_history.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
constexpr std::array kTiers{HistoryTier::Second, HistoryTier::Minute, HistoryTier::Hour};

/// One sample a second from t = 0 on, the n-th of them n times `step`; `seconds` of them.
History ramp(std::chrono::seconds seconds, Bytes step) {
  History history;
  for (auto at = 0s; at < seconds; ++at) history.add(MonoTime(at), static_cast<Bytes>(at.count()) * step);
  return history;
}

TEST(History, IsEmptyBeforeTheFirstSample) {
  const History history;
  for (const auto tier : kTiers) {
    EXPECT_TRUE(history.points(tier).empty());
    EXPECT_FALSE(history.latest(tier));
  }
  EXPECT_FALSE(history.peak());
  EXPECT_FALSE(summarize(history, 1h, MonoTime(1h)));
  EXPECT_FALSE(percentile(history, 50, 1h, MonoTime(1h)));
}

TEST(History, PutsSamplesOfOneSecondIntoOneBucket) {
  History history;
  history.add(MonoTime(61'000ms), 4_GiB);
  history.add(MonoTime(61'500ms), 1_GiB);
  history.add(MonoTime(61'999ms), 1_GiB);
  const HistoryPoint expected{MonoTime(61s), 1_GiB, 4_GiB, 1_GiB, 2.0 * 0x1p30, 3};
  EXPECT_EQ(history.points(HistoryTier::Second), std::vector{expected});
  EXPECT_EQ(history.latest(HistoryTier::Second), expected);
}

TEST(History, FillsAllTiersAtOnce) {
  History history;
  history.add(MonoTime(3599s), 1_GiB);
  history.add(MonoTime(3600s), 2_GiB);
  history.add(MonoTime(3601s), 3_GiB);
  EXPECT_EQ(history.points(HistoryTier::Second).size(), 3U);
  EXPECT_EQ(history.points(HistoryTier::Minute).size(), 2U);
  const HistoryPoint second_hour{MonoTime(1h), 2_GiB, 3_GiB, 3_GiB, 2.5 * 0x1p30, 2};
  EXPECT_EQ(history.latest(HistoryTier::Minute), second_hour);
  EXPECT_EQ(history.latest(HistoryTier::Hour), second_hour);
}

TEST(History, LeavesGapsInTimeOut) {
  History history;
  history.add(MonoTime(10s), 1_GiB);
  history.add(MonoTime(2h), 2_GiB);
  const auto points = history.points(HistoryTier::Second);
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0].start, MonoTime(10s));
  EXPECT_EQ(points[1].start, MonoTime(2h));
}

TEST(History, CountsTimesBeforeTheNewestBucketIntoIt) {
  History history;
  history.add(MonoTime(100s), 1_GiB);
  history.add(MonoTime(40s), 3_GiB);
  const HistoryPoint expected{MonoTime(100s), 1_GiB, 3_GiB, 3_GiB, 2.0 * 0x1p30, 2};
  EXPECT_EQ(history.points(HistoryTier::Second), std::vector{expected});
}

TEST(History, KeepsTimesBeforeTheOriginInOrder) {
  History history;
  history.add(MonoTime(-1500ms), 1);
  history.add(MonoTime(-1000ms), 2);
  history.add(MonoTime(0ms), 3);
  const auto points = history.points(HistoryTier::Second);
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points[0].start, MonoTime(-2s));
  EXPECT_EQ(points[1].start, MonoTime(-1s));
  EXPECT_EQ(points[2].start, MonoTime(0s));
}

TEST(History, GivesThePointsSinceAMoment) {
  const auto history = ramp(100s, 1_MiB);
  const auto points = history.points(HistoryTier::Second, MonoTime(97s));
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points.front().last, 97_MiB);
  EXPECT_EQ(points.back().last, 99_MiB);
  EXPECT_TRUE(history.points(HistoryTier::Second, MonoTime(100s)).empty());
}

TEST(History, KeepsOneHourOneDayAndNinetyDays) {
  EXPECT_EQ(History::width(HistoryTier::Second) * History::capacity(HistoryTier::Second), 1h);
  EXPECT_EQ(History::width(HistoryTier::Minute) * History::capacity(HistoryTier::Minute), 24h);
  EXPECT_EQ(History::width(HistoryTier::Hour) * History::capacity(HistoryTier::Hour), 90 * 24h);
}

TEST(History, DropsTheOldestBucketsOfATier) {
  const auto history = ramp(2h, 1);
  const auto points = history.points(HistoryTier::Second);
  ASSERT_EQ(points.size(), 3600U);
  EXPECT_EQ(points.front().start, MonoTime(1h));
  EXPECT_EQ(points.back().start, MonoTime(2h - 1s));
  EXPECT_EQ(history.points(HistoryTier::Minute).size(), 120U);
}

TEST(History, RemembersThePeakForever) {
  History history;
  history.add(MonoTime(0s), 9_GiB);
  for (auto at = 1h; at < 100 * 24h; at += 1h) history.add(MonoTime(at), 1_GiB);
  EXPECT_EQ(history.points(HistoryTier::Hour).front().max, 1_GiB);
  EXPECT_EQ(history.peak(), 9_GiB);
}

TEST(History, TakesAnyAmountOfBytes) {
  History history;
  constexpr auto most = std::numeric_limits<Bytes>::max();
  history.add(MonoTime(0s), most);
  history.add(MonoTime(0s), most);
  EXPECT_EQ(history.peak(), most);
  EXPECT_EQ(percentile(history, 50, 1h, MonoTime(0s)), most);
}

TEST(History, HoldsTheSameMemoryAfterAMillionSamples) {
  History history;
  const auto footprint = history.memory_footprint();
  EXPECT_LE(footprint, 512_KiB);
  EXPECT_GE(footprint, (3600 + 1440 + 2160) * sizeof(HistoryPoint));
  const auto allocated = mallinfo2().uordblks;
  for (int i = 0; i < 1'000'000; ++i) history.add(MonoTime(i * 700ms), static_cast<Bytes>(i) << 16);
  EXPECT_EQ(mallinfo2().uordblks, allocated);
  EXPECT_EQ(history.memory_footprint(), footprint);
  EXPECT_EQ(history.points(HistoryTier::Second).size(), 3600U);
}

TEST(History, KeepsTheMeanExactOverVeryManySamples) {
  History history;
  constexpr int samples = 10'000'000;
  for (int i = 0; i < samples; ++i) history.add(MonoTime(5s), 80_GiB + static_cast<Bytes>(i % 3));
  const auto point = history.latest(HistoryTier::Second).value();
  EXPECT_EQ(point.samples, static_cast<std::uint32_t>(samples));
  EXPECT_NEAR(point.mean - 80.0 * 0x1p30, 1.0, 0.01);
}

TEST(Summarize, SaysWhatAWindowHeld) {
  const auto summary = summarize(ramp(100s, 10_MiB), 60s, MonoTime(99s)).value();
  EXPECT_EQ(summary.window, 60s);
  EXPECT_EQ(summary.points, 60U);
  EXPECT_EQ(summary.min, 400_MiB);
  EXPECT_EQ(summary.max, 990_MiB);
  EXPECT_EQ(summary.last, 990_MiB);
  EXPECT_NEAR(summary.mean, 695.0 * 0x1p20, 1.0);
  EXPECT_NEAR(summary.rate_bytes_per_second, 10.0 * 0x1p20, 1e-3);
}

TEST(Summarize, HasNoRateFromASingleBucket) {
  EXPECT_EQ(summarize(ramp(1s, 1), 60s, MonoTime(0s))->rate_bytes_per_second, 0.0);
}

TEST(Summarize, TakesTheFinestTierThatReachesBack) {
  const auto history = ramp(2 * 24h, 1);
  const MonoTime now(2 * 24h - 1s);
  EXPECT_EQ(summarize(history, 1h, now)->points, 3600U);
  EXPECT_EQ(summarize(history, 61min, now)->points, 61U);
  EXPECT_EQ(summarize(history, 24h, now)->points, 1440U);
  EXPECT_EQ(summarize(history, 25h, now)->points, 25U);
  EXPECT_EQ(summarize(history, 365 * 24h, now)->points, 48U);
}

TEST(Summarize, StaysWithSecondsWhileNothingWasDropped) {
  EXPECT_EQ(summarize(ramp(30min, 1), 24h, MonoTime(30min))->points, 1800U);
}

TEST(Summarize, LooksAtNothingOutsideTheWindow) {
  const auto history = ramp(100s, 1_MiB);
  EXPECT_FALSE(summarize(history, 60s, MonoTime(1h)));
  EXPECT_FALSE(summarize(history, 0s, MonoTime(99s)));
  EXPECT_FALSE(summarize(history, -1s, MonoTime(99s)));
  EXPECT_EQ(summarize(history, 10s, MonoTime(50s))->last, 50_MiB);
  EXPECT_EQ(summarize(history, Duration::max(), MonoTime(99s))->points, 100U);
}

TEST(Summarize, TakesAWindowThatBeginsBeforeAllTime) {
  History history;
  history.add(MonoTime(-10s), 1_GiB);
  EXPECT_EQ(summarize(history, Duration::max(), MonoTime(-5s))->last, 1_GiB);
}

TEST(Percentile, IsTheNearestRank) {
  const auto history = ramp(101s, 1);
  const MonoTime now(100s);
  EXPECT_EQ(percentile(history, 50, 100s, now), 50U);
  EXPECT_EQ(percentile(history, 95, 100s, now), 95U);
  EXPECT_EQ(percentile(history, 95.5, 100s, now), 96U);
  EXPECT_EQ(percentile(history, 100, 100s, now), 100U);
  EXPECT_EQ(percentile(history, 1e-9, 100s, now), 1U);
}

TEST(Percentile, TakesTheOnlyBucketWhateverThePercent) {
  History history;
  history.add(MonoTime(0s), 7_GiB);
  for (const double percent : {std::numeric_limits<double>::denorm_min(), 50.0, 100.0}) {
    EXPECT_EQ(percentile(history, percent, 1h, MonoTime(0s)), 7_GiB) << percent;
  }
}

TEST(Percentile, IsEmptyForWhatIsNoPercent) {
  const auto history = ramp(10s, 1);
  for (const double percent : {0.0, -1.0, 100.1, std::nan("")}) {
    EXPECT_FALSE(percentile(history, percent, 1h, MonoTime(9s))) << percent;
  }
}

/// A series as a machine may give it: mostly forward in steps around `typical_gap`, now and then a long gap, the same
/// time again, or a time that goes backwards.
template <typename Add>
void feed_series(std::uint32_t seed, int samples, Duration typical_gap, const Add& add) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<Duration::rep> gap(0, 2 * typical_gap.count());
  std::uniform_int_distribution<Bytes> used(0, 80_GiB);
  MonoTime time(-10s);
  for (int i = 0; i < samples; ++i) {
    const auto kind = random() % 20;
    const auto step = Duration(gap(random));
    time += kind == 0 ? -step : kind == 1 ? 100 * step : kind == 2 ? Duration::zero() : step;
    add(time, used(random));
  }
}

void assert_agreement(const HistoryPoint& point, const HistoryPoint& expected) {
  RC_ASSERT(point.start == expected.start);
  RC_ASSERT(point.min == expected.min);
  RC_ASSERT(point.max == expected.max);
  RC_ASSERT(point.last == expected.last);
  RC_ASSERT(point.samples == expected.samples);
  RC_ASSERT(std::abs(point.mean - expected.mean) <= 1e-12 * expected.mean);
  RC_ASSERT(static_cast<double>(point.min) <= point.mean && point.mean <= static_cast<double>(point.max));
}

RC_GTEST_PROP(History, AgreesWithAReferenceThatKeepsEverything, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint32_t>();
  const auto samples = *rc::gen::inRange(1, 8000);
  const auto typical_gap = *rc::gen::element<Duration>(10ms, 1s, 7s, 1min, 40min, 2h);
  History history;
  NaiveHistory reference;
  feed_series(seed, samples, typical_gap, [&](MonoTime time, Bytes used) {
    history.add(time, used);
    reference.add(time, used);
  });
  for (const auto tier : kTiers) {
    const auto points = history.points(tier);
    const auto expected = reference.points(tier);
    RC_ASSERT(points.size() == expected.size());
    for (std::size_t i = 0; i < points.size(); ++i) assert_agreement(points[i], expected[i]);
    RC_ASSERT(history.latest(tier) == points.back());
  }
}

RC_GTEST_PROP(History, LosesNoSampleBetweenItsTiers, ()) {
  History history;
  const auto samples = *rc::gen::inRange(1, 2000);
  feed_series(*rc::gen::arbitrary<std::uint32_t>(), samples, 1s,
              [&](MonoTime time, Bytes used) { history.add(time, used); });
  for (const auto tier : kTiers) {
    std::uint64_t counted = 0;
    for (const auto& point : history.points(tier)) counted += point.samples;
    RC_ASSERT(counted == static_cast<std::uint64_t>(samples));
  }
}

RC_GTEST_PROP(Percentile, RisesWithThePercentAndLiesWithinTheSummary, ()) {
  History history;
  MonoTime now;
  feed_series(*rc::gen::arbitrary<std::uint32_t>(), *rc::gen::inRange(1, 3000), 1s, [&](MonoTime time, Bytes used) {
    history.add(time, used);
    now = std::max(now, time);
  });
  const auto low = *rc::gen::inRange(1, 101);
  const auto high = *rc::gen::inRange(low, 101);
  const auto lower = percentile(history, low, 10min, now);
  const auto higher = percentile(history, high, 10min, now);
  const auto summary = summarize(history, 10min, now);
  RC_ASSERT(lower.has_value() == summary.has_value());
  if (!summary) return;
  RC_ASSERT(summary->min <= *lower && *lower <= *higher && *higher <= summary->max);
}

}  // namespace
}  // namespace dualgpuopt::memory
