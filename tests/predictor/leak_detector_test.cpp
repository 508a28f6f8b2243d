#include "dualgpuopt/memory/predictor/leak_detector.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "predictor/series.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

/// The second at which a leak was told first; empty if it never was. `use(second)` in bytes, a sample a second.
template <typename Use>
std::optional<int> told_at(int seconds, Use use) {
  LeakDetector detector;
  for (int second = 0; second < seconds; ++second) {
    detector.add(MonoTime(second * 1s), static_cast<Bytes>(use(second)));
    if (detector.leak()) return second;
  }
  return std::nullopt;
}

TEST(LeakDetector, FindsLeaksOfEverySpeedUnderNoise) {
  Scatter scatter;
  for (const auto& [mib_an_hour, hours] : {std::pair{10.0, 9}, {100.0, 2}, {1000.0, 1}, {100'000.0, 1}}) {
    const double a_second = mib_an_hour * 0x1p20 / 3600;
    const auto use = [&, a_second = a_second](int t) { return 0x1p33 + a_second * t + 0x1p20 * 100 * scatter(); };
    LeakDetector detector;
    for (int t = 0; t < hours * 3600; ++t) detector.add(MonoTime(t * 1s), static_cast<Bytes>(use(t)));
    const auto leak = detector.leak();
    ASSERT_TRUE(leak) << mib_an_hour;
    EXPECT_NEAR(leak->bytes_per_second, a_second, 0.25 * a_second);
    EXPECT_GE(leak->confidence, 0.99);
    EXPECT_GE(leak->grown, 1_MiB);
  }
}

TEST(LeakDetector, TellsAFastLeakWithinTenMinutes) {
  const auto at = told_at(3600, [](int t) { return 0x1p30 + 0x1p20 * t; });
  ASSERT_TRUE(at);
  EXPECT_LE(*at, 600);
}

TEST(LeakDetector, IsSilentWhereNothingLeaks) {
  Scatter scatter;
  EXPECT_FALSE(told_at(20'000, [](int) { return 0x1p33; }));
  EXPECT_FALSE(told_at(20'000, [&](int) { return 0x1p33 + 0x1p30 * scatter(); })) << "noise";
  EXPECT_FALSE(told_at(20'000, [](int t) { return 0x1p30 + 0x1p30 * std::min(t / 20, 16); })) << "a model's load";
  EXPECT_FALSE(told_at(20'000, [](int t) { return 0x1p33 + 0x1p24 * (t % 240); })) << "a sawtooth of four minutes";
  EXPECT_FALSE(told_at(20'000, [](int t) { return t % 900 < 60 ? 0x1p34 : 0x1p33; })) << "evaluations";
  EXPECT_FALSE(told_at(20'000, [](int t) { return 0x1p33 * (1 - std::exp(-t / 60.0)); })) << "a cache that fills";
}

TEST(LeakDetector, LearnsThatSlowCyclesGiveItBack) {
  LeakDetector detector;
  int told = 0;
  for (int t = 0; t < 20 * 1800; ++t) {
    detector.add(MonoTime(t * 1s), 8_GiB + static_cast<Bytes>(t % 1800) * 1_MiB);
    if (t > 1860 && detector.leak()) ++told;
  }
  EXPECT_EQ(told, 0);
}

TEST(LeakDetector, DropsALeakThatHasStopped) {
  LeakDetector detector;
  for (int t = 0; t < 1200; ++t) detector.add(MonoTime(t * 1s), 8_GiB + static_cast<Bytes>(t) * 1_MiB);
  EXPECT_TRUE(detector.leak());
  for (int t = 1200; t < 1600; ++t) detector.add(MonoTime(t * 1s), 8_GiB + 1200_MiB);
  EXPECT_FALSE(detector.leak());
}

TEST(LeakDetector, FindsALeakUnderACycle) {
  // A sawtooth of five minutes whose floor rises by 30 MiB each time.
  const auto use = [](int t) { return 0x1p33 + 0x1p24 * (t % 300) + 0x1p20 * 30 * (t / 300); };
  const auto at = told_at(6 * 3600, use);
  ASSERT_TRUE(at);
  EXPECT_LE(*at, 2 * 3600);
}

TEST(LeakDetector, BeginsAnewAfterAGapAndIgnoresTimesThatDoNotAdvance) {
  LeakDetector detector;
  for (int t = 0; t < 1200; ++t) detector.add(MonoTime(t * 1s), 8_GiB + static_cast<Bytes>(t) * 1_MiB);
  detector.add(MonoTime(10s), 0);
  EXPECT_TRUE(detector.leak());
  detector.add(MonoTime(1200s + 1000h), 16_GiB);
  EXPECT_FALSE(detector.leak());
}

RC_GTEST_PROP(LeakDetector, NeverTellsOneOfASeriesThatNeverGrows, ()) {
  Scatter scatter(*rc::gen::arbitrary<std::uint64_t>());
  LeakDetector detector;
  double used = 0x1p36;
  MonoTime time{};
  for (int i = 0; i < 3000; ++i) {
    time += Duration(static_cast<std::int64_t>(scatter() * 1e10));
    if (scatter() < 0.2) used *= 0.999;
    detector.add(time, static_cast<Bytes>(used));
    RC_ASSERT(!detector.leak());
  }
}

RC_GTEST_PROP(LeakDetector, ScalesWithTheBytesAndNotWithTheOriginOfTime, ()) {
  Scatter scatter(*rc::gen::arbitrary<std::uint64_t>());
  LeakDetector one;
  LeakDetector other;
  for (int t = 0; t < 2000; ++t) {
    const auto used = static_cast<Bytes>(0x1p30 + 0x1p20 * (t + 50 * scatter()));
    one.add(MonoTime(t * 1s), used);
    other.add(MonoTime(500h + t * 1s), used * 4);
  }
  RC_ASSERT(one.leak().has_value());
  RC_ASSERT(other.leak().has_value());
  RC_ASSERT(std::abs(other.leak()->bytes_per_second - 4 * one.leak()->bytes_per_second) < 1);
  RC_ASSERT(other.leak()->confidence == one.leak()->confidence);
}

ProcessMemory process(pid_t pid, std::uint64_t start, Bytes used) {
  ProcessMemory process;
  process.pid = pid;
  process.start_ticks = start;
  process.used = used;
  process.name = "python3";
  return process;
}

TEST(ProcessLeakDetector, FindsTheProcessThatLeaks) {
  ProcessLeakDetector detector;
  for (int t = 0; t < 1200; t += 5) {
    const auto grown = static_cast<Bytes>(t) * 1_MiB;
    detector.add({{MonoTime(t * 1s), {}}, {process(1, 7, 2_GiB), process(2, 7, 1_GiB + grown)}, ""});
  }
  const auto leaks = detector.leaks();
  ASSERT_EQ(leaks.size(), 1U);
  EXPECT_EQ(leaks[0].pid, 2);
  EXPECT_EQ(leaks[0].name, "python3");
  EXPECT_NEAR(leaks[0].estimate.bytes_per_second, 0x1p20, 0x1p18);
}

TEST(ProcessLeakDetector, TakesAPidUsedAgainForAnotherProcess) {
  ProcessLeakDetector detector;
  for (int t = 0; t < 1200; t += 5) {
    // A new process every two minutes, each larger than the one before.
    detector.add(
        {{MonoTime(t * 1s), {}}, {process(1, static_cast<std::uint64_t>(t / 120), static_cast<Bytes>(t) * 1_MiB)}, ""});
    EXPECT_TRUE(detector.leaks().empty());
  }
}

TEST(ProcessLeakDetector, FollowsTheLargestOfManyAndForgetsThoseThatLeft) {
  ProcessLeakDetector detector;
  for (int t = 0; t < 1200; t += 5) {
    ProcessList list{{MonoTime(t * 1s), {}}, {}, ""};
    for (pid_t pid = 1; pid <= 100; ++pid) {
      list.entries.push_back(process(pid, 1, static_cast<Bytes>(pid) * 1_GiB + static_cast<Bytes>(t) * 1_MiB));
    }
    detector.add(list);
  }
  EXPECT_EQ(detector.leaks().size(), ProcessLeakDetector::kProcesses);
  detector.add({{MonoTime(1300s), {}}, {}, "refused"});
  EXPECT_EQ(detector.leaks().size(), ProcessLeakDetector::kProcesses);
  detector.add({{MonoTime(1400s), {}}, {}, ""});
  EXPECT_TRUE(detector.leaks().empty());
}

}  // namespace
}  // namespace dualgpuopt::memory
