#include "predictor/diffusion.h"

#include <gtest/gtest.h>

#include <cmath>

#include "predictor/series.h"

namespace dualgpuopt::memory {
namespace {

TEST(Diffusion, KnowsNothingWithoutAStep) {
  const Diffusion diffusion;
  EXPECT_EQ(diffusion.drift(), 0);
  EXPECT_EQ(diffusion.variance_rate(), 0);
  EXPECT_EQ(diffusion.crossing(1e9).back(), 0.0F);
}

TEST(Diffusion, MeasuresTheVarianceOfAWalk) {
  Diffusion walk;
  Scatter scatter;
  for (int i = 0; i < 2000; ++i) walk.add(1, scatter() < 0.5 ? -10 : 10);
  EXPECT_NEAR(walk.variance_rate(), 100, 50);
  EXPECT_NEAR(walk.drift(), 0, 2);
}

TEST(Diffusion, DoesNotTakeAPlateausNoiseForMovement) {
  Diffusion noise;
  Scatter scatter;
  double last = 0;
  double squares = 0;
  for (int i = 0; i < 2000; ++i) {
    const double now = 1000 * scatter();
    noise.add(1, now - last);
    squares += (now - last) * (now - last) / 2000;
    last = now;
  }
  EXPECT_LT(noise.variance_rate(), 0.2 * squares);
}

TEST(Diffusion, ForgetsASpikeThatHasGoneAndKeepsAStepThatStays) {
  Diffusion spike;
  Diffusion step;
  for (int i = 0; i < 30; ++i) {
    spike.add(1, i == 20 ? 1e9 : i == 21 ? -1e9 : 0);
    step.add(1, i == 20 ? 1e9 : 0);
  }
  EXPECT_LT(spike.crossing(1e9)[horizon_index(60)], 0.01F);
  EXPECT_GT(step.crossing(1e9)[horizon_index(60)], 0.3F);
}

/// The inverse Gaussian distribution as the literature has it, in double and without regard to overflow.
double first_passage(double drift, double variance, double headroom, double seconds) {
  const double s = std::sqrt(variance * seconds);
  const auto cdf = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  return cdf((drift * seconds - headroom) / s) +
         std::exp(2 * drift * headroom / variance) * cdf(-(drift * seconds + headroom) / s);
}

TEST(Diffusion, CrossesAsTheInverseGaussianDistributionSays) {
  for (const double lean : {0.3, 0.5, 0.7}) {
    Diffusion walk;
    Scatter scatter(7);
    for (int i = 0; i < 500; ++i) walk.add(1, scatter() < lean ? 10 : -10);
    for (const double headroom : {5.0, 50.0, 300.0}) {
      const auto curve = walk.crossing(headroom);
      for (std::size_t k = 0; k < kHorizonCount; ++k) {
        const double exact = first_passage(walk.drift(), walk.variance_rate(), headroom, kHorizons[k]);
        EXPECT_NEAR(curve[k], exact, 1e-5) << "lean " << lean << " headroom " << headroom << " at " << kHorizons[k];
      }
    }
  }
}

TEST(Diffusion, ForeseesNothingForASeriesThatNeverRose) {
  Diffusion falling;
  for (int i = 0; i < 100; ++i) falling.add(1, i % 7 == 0 ? -1e8 : 0);
  EXPECT_EQ(falling.crossing(1.0).back(), 0.0F);
}

TEST(Diffusion, StaysWithinZeroToOneForAnyAmounts) {
  for (const double rise : {1.0, 1e9, 1e18}) {
    for (const double seconds : {1e-9, 1.0, 1e9}) {
      Diffusion walk;
      for (int i = 0; i < 5; ++i) walk.add(seconds, i == 3 ? -0.999 * rise : rise);
      for (const double headroom : {1.0, 1e10, 1.8e19}) {
        float last = 0;
        for (const float value : walk.crossing(headroom)) {
          EXPECT_GE(value, last);
          EXPECT_LE(value, 1.0F);
          last = value;
        }
      }
    }
  }
}

TEST(Diffusion, TellsTheNoiseOfAPlateauFromMovement) {
  Scatter scatter;
  Diffusion noise;
  Diffusion steps;
  double last = 0;
  for (int i = 0; i < 600; ++i) {
    const double now = 1000 * scatter();
    noise.add(1, now - last);
    steps.add(1, i % 20 == 0 ? 500 : 0);
    last = now;
  }
  EXPECT_NEAR(noise.noise_variance(), 1e6 / 12, 2e4);  // of an even distribution over 1000
  EXPECT_EQ(steps.noise_variance(), 0);
  EXPECT_EQ(Diffusion().noise_variance(), 0);
}

}  // namespace
}  // namespace dualgpuopt::memory
