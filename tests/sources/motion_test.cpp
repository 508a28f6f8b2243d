#include "sources/motion.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

constexpr SignedBytes kGiB = 1LL << 30;

Motion motion(MotionKind kind, Duration at, Duration lasting, Duration period, SignedBytes amount) {
  return {kind, at, lasting, period, amount};
}

SignedBytes amount(const Motion& motion, Duration elapsed, const NoiseKey& key = {}) {
  return static_cast<SignedBytes>(motion_amount(motion, elapsed, key));
}

TEST(MotionAmount, StepsAtItsMomentAndStays) {
  const auto step = motion(MotionKind::Step, 5s, 0s, 0s, kGiB);
  EXPECT_EQ(amount(step, 5s - 1ns), 0);
  EXPECT_EQ(amount(step, 5s), kGiB);
  EXPECT_EQ(amount(step, 1h), kGiB);
}

TEST(MotionAmount, RampsEvenlyThenStays) {
  const auto ramp = motion(MotionKind::Ramp, 5s, 20s, 0s, -kGiB);
  EXPECT_EQ(amount(ramp, 5s), 0);
  EXPECT_EQ(amount(ramp, 15s), -kGiB / 2);
  EXPECT_EQ(amount(ramp, 25s), -kGiB);
  EXPECT_EQ(amount(ramp, 1h), -kGiB);
  EXPECT_EQ(amount(motion(MotionKind::Ramp, 5s, 0s, 0s, kGiB), 5s), kGiB) << "at once if it lasts no time";
}

TEST(MotionAmount, SawtoothFallsBackEveryPeriodAndEnds) {
  const auto saw = motion(MotionKind::Sawtooth, 1s, 10s, 4s, kGiB);
  EXPECT_EQ(amount(saw, 3s), kGiB / 2);
  EXPECT_EQ(amount(saw, 4s), kGiB / 4 * 3);
  EXPECT_EQ(amount(saw, 5s), 0);
  EXPECT_EQ(amount(saw, 7s), kGiB / 2);
  EXPECT_EQ(amount(saw, 11s), 0) << "over";
  EXPECT_EQ(amount(motion(MotionKind::Sawtooth, 1s, 0s, 4s, kGiB), 4003s), kGiB / 2) << "for good";
}

TEST(MotionAmount, LeakGrowsEvenlyAndKeepsWhatItTook) {
  const auto leak = motion(MotionKind::Leak, 10s, 30s, 20s, kGiB);
  EXPECT_EQ(amount(leak, 10s), 0);
  EXPECT_EQ(amount(leak, 20s), kGiB / 2);
  EXPECT_EQ(amount(leak, 40s), kGiB + kGiB / 2);
  EXPECT_EQ(amount(leak, 1h), kGiB + kGiB / 2);
  EXPECT_EQ(amount(motion(MotionKind::Leak, 0s, 0s, 1s, kGiB), 1h), 3600 * kGiB);
}

TEST(MotionAmount, DoesNothingPeriodicallyWithoutAPeriod) {
  for (const auto kind : {MotionKind::Sawtooth, MotionKind::Leak, MotionKind::Noise}) {
    EXPECT_EQ(amount(motion(kind, 0s, 0s, 0s, kGiB), 10s), 0);
  }
}

TEST(MotionAmount, HoldsNoiseForAPeriod) {
  const auto noise = motion(MotionKind::Noise, 0s, 60s, 2s, kGiB);
  EXPECT_EQ(amount(noise, 4s), amount(noise, 6s - 1ns));
  EXPECT_NE(amount(noise, 4s), amount(noise, 6s));
  EXPECT_EQ(amount(noise, 60s), 0) << "over";
}

// Pins the hash: recordings of simulated runs are compared across machines and releases.
TEST(MotionAmount, DrawsTheSameNoiseOnEveryMachine) {
  const auto noise = motion(MotionKind::Noise, 0s, 0s, 1s, 1'000'000);
  const NoiseKey key{7, 0, 1, 2, 3};
  EXPECT_EQ(amount(noise, 0s, key), -322'871);
  EXPECT_EQ(amount(noise, 1s, key), 792'846);
}

TEST(MotionAmount, DrawsOtherNoiseForEveryPartOfTheKey) {
  const auto noise = motion(MotionKind::Noise, 0s, 0s, 1s, kGiB);
  const std::set<SignedBytes> drawn{amount(noise, 0s, {1, 0, 0, 0, 0}), amount(noise, 0s, {0, 1, 0, 0, 0}),
                                    amount(noise, 0s, {0, 0, 1, 0, 0}), amount(noise, 0s, {0, 0, 0, 1, 0}),
                                    amount(noise, 0s, {0, 0, 0, 0, 1}), amount(noise, 1s, {})};
  EXPECT_EQ(drawn.size(), 6U);
}

TEST(MotionAmount, SpreadsNoiseOverItsWholeRange) {
  const auto noise = motion(MotionKind::Noise, 0s, 0s, 1s, 1000);
  double sum = 0;
  SignedBytes least = 0;
  SignedBytes most = 0;
  for (int bucket = 0; bucket < 10'000; ++bucket) {
    const auto drawn = amount(noise, bucket * 1s);
    sum += static_cast<double>(drawn);
    least = std::min(least, drawn);
    most = std::max(most, drawn);
  }
  EXPECT_NEAR(sum / 10'000, 0, 25) << "four standard errors of the mean";
  EXPECT_LT(least, -950);
  EXPECT_GE(least, -1000);
  EXPECT_GT(most, 950);
  EXPECT_LE(most, 1000);
}

RC_GTEST_PROP(MotionAmount, StaysInItsDocumentedRange, (SignedBytes any_amount)) {
  constexpr auto kCentury = std::chrono::nanoseconds(100 * 366 * 24h).count();
  const auto time = [] { return Duration(*rc::gen::inRange<Duration::rep>(0, kCentury)); };
  const auto kind =
      *rc::gen::element(MotionKind::Step, MotionKind::Ramp, MotionKind::Sawtooth, MotionKind::Leak, MotionKind::Noise);
  const auto drawn = motion_amount(motion(kind, time(), time(), time(), any_amount), time(), {});
  constexpr auto kLimit = WideBytes{1} << 62;
  RC_ASSERT(drawn >= -kLimit && drawn <= kLimit);
}

}  // namespace
}  // namespace dualgpuopt::memory
