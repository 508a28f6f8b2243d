#include "predictor/waiting_times.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(WaitingTimes, SayNothingWithoutObservationsAndPrior) { EXPECT_EQ(WaitingTimes().share({}).back(), 0.0F); }

TEST(WaitingTimes, AreTheShareOfThoseThatEnded) {
  WaitingTimes waits;
  waits.add_ended(3, 1);
  waits.add_ended(30, 2);
  waits.add_ended(300, 1);
  const auto curve = waits.share({});
  EXPECT_FLOAT_EQ(curve[horizon_index(2)], 0);
  EXPECT_FLOAT_EQ(curve[horizon_index(4)], 0.25F);
  EXPECT_FLOAT_EQ(curve[horizon_index(32)], 0.75F);
  EXPECT_FLOAT_EQ(curve.back(), 1);
}

TEST(WaitingTimes, CountOpenOnesAsNeverEnding) {
  WaitingTimes waits;
  waits.add_ended(3, 1);
  waits.add_open(10, 2);
  waits.add_ended(100, 1);
  const auto curve = waits.share({});
  EXPECT_FLOAT_EQ(curve[horizon_index(4)], 0.25F);
  EXPECT_FLOAT_EQ(curve.back(), 0.5F);
}

TEST(WaitingTimes, CountOpenOnesUntilTheyWereSeenLastInTheProductLimit) {
  WaitingTimes waits;
  waits.add_ended(3, 1);
  waits.add_open(10, 2);
  waits.add_ended(100, 1);
  const auto curve = waits.product_limit({});
  EXPECT_FLOAT_EQ(curve[horizon_index(4)], 0.25F);
  // After 10 s only one still waits, and it ends: not one of two, but all that is left.
  EXPECT_FLOAT_EQ(curve.back(), 1);
}

TEST(WaitingTimes, AreThePriorWithoutObservations) {
  ArrivalPrior prior;
  prior.weight = 1;
  prior.one = {1, 20, 10};
  for (const auto& curve : {WaitingTimes().share(prior), WaitingTimes().product_limit(prior)}) {
    for (const double horizon : {1.0, 30.0, 1000.0}) {
      const auto k = horizon_index(horizon);
      EXPECT_NEAR(curve[k], kHorizons[k] / (30 + kHorizons[k]), 1e-5);
    }
  }
}

TEST(WaitingTimes, OutweighThePriorInTime) {
  ArrivalPrior prior;
  prior.weight = 1;
  prior.one.share = 1;
  WaitingTimes waits;
  waits.add_open(1e6, 100);
  EXPECT_LT(waits.share(prior)[horizon_index(60)], 0.05F);
}

RC_GTEST_PROP(WaitingTimes, AreADistribution, ()) {
  WaitingTimes waits;
  const auto count = *rc::gen::inRange(0, 20);
  for (int i = 0; i < count; ++i) {
    const auto seconds = *rc::gen::inRange(0, 200'000) * 0.7;
    const auto weight = static_cast<float>(*rc::gen::inRange(0, 1000)) / 1000;
    *rc::gen::arbitrary<bool>() ? waits.add_ended(seconds, weight) : waits.add_open(seconds, weight);
  }
  ArrivalPrior prior;
  prior.weight = *rc::gen::inRange(0, 100) / 10.0;
  prior.one.share = *rc::gen::inRange(0, 10) / 10.0;
  prior.other = {*rc::gen::inRange(0, 10) / 10.0, *rc::gen::inRange(0, 100'000) * 1.0, 3};
  for (const auto& curve : {waits.share(prior), waits.product_limit(prior)}) {
    float last = 0;
    for (const float value : curve) {
      RC_ASSERT((value >= last && value <= 1));
      last = value;
    }
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
