#include "dualgpuopt/memory/recovery/batch_size_controller.h"

#include <gmock/gmock.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using BatchSizeCause::Calm, BatchSizeCause::OutOfMemory, BatchSizeCause::Request;

Forecast foreseen(double seconds, double risk = 1) {
  Forecast forecast;
  forecast.time_to_oom = Seconds(seconds);
  forecast.risk = risk;
  return forecast;
}

Forecast calm_forecast(double risk = 0) {
  Forecast forecast;
  forecast.risk = risk;
  return forecast;
}

class BatchSizeControllerTest : public Test {
 protected:
  /// So many full chunks, one a second.
  void work(int chunks) {
    for (int i = 0; i < chunks; ++i) {
      now_ += 1s;
      controller_.on_done(controller_.size(), now_);
    }
  }

  MonoTime now_{100s};
  BatchSizeController controller_{{.ceiling = 64}};
};

TEST_F(BatchSizeControllerTest, BeginsAtTheCeilingAndStaysThereWhileAllIsWell) {
  work(100);
  EXPECT_EQ(controller_.size(), 64U);
  EXPECT_FALSE(controller_.last_change());
}

TEST_F(BatchSizeControllerTest, HalvesWhatRanOutOfMemory) {
  EXPECT_TRUE(controller_.on_out_of_memory(64, now_));
  EXPECT_EQ(controller_.size(), 32U);
  EXPECT_EQ(controller_.last_change(), (BatchSizeChange{64, 32, OutOfMemory, now_}));
  EXPECT_TRUE(controller_.on_out_of_memory(32, now_)) << "however soon after the first";
  EXPECT_EQ(controller_.size(), 16U);
}

TEST_F(BatchSizeControllerTest, SaysWhenThereIsNoUseInTryingAgain) {
  controller_ = BatchSizeController({.ceiling = 8, .floor = 4});
  EXPECT_TRUE(controller_.on_out_of_memory(8, now_));
  EXPECT_FALSE(controller_.on_out_of_memory(4, now_));
  EXPECT_EQ(controller_.size(), 4U);
  EXPECT_FALSE(controller_.on_out_of_memory(3, now_)) << "the rest of a batch can be smaller than the floor";
  EXPECT_EQ(controller_.size(), 4U);
}

TEST_F(BatchSizeControllerTest, GoesUnderTheRestOfABatchThatDidNotFit) {
  controller_.on_out_of_memory(6, now_);
  EXPECT_EQ(controller_.size(), 3U);
}

TEST_F(BatchSizeControllerTest, LearnsNothingFromAChunkOfBeforeTheLastChange) {
  controller_.on_out_of_memory(64, now_);
  controller_.on_out_of_memory(32, now_);
  controller_.on_out_of_memory(64, now_);
  EXPECT_EQ(controller_.size(), 16U);
}

TEST_F(BatchSizeControllerTest, GrowsByStepsOnlyAfterTheHoldAndEnoughFullChunks) {
  controller_.on_request(now_);
  work(29);
  EXPECT_EQ(controller_.size(), 32U) << "the hold of 30 s lasts";
  work(1);
  EXPECT_EQ(controller_.size(), 36U);
  EXPECT_EQ(controller_.last_change(), (BatchSizeChange{32, 36, Calm, now_}));
  work(7);
  EXPECT_EQ(controller_.size(), 36U);
  work(1);
  EXPECT_EQ(controller_.size(), 40U);
}

TEST_F(BatchSizeControllerTest, WaitsBetweenTwoGrowthsHoweverFastTheChunksAre) {
  controller_.on_request(now_);
  now_ += 30s;
  for (int i = 0; i < 1000; ++i) controller_.on_done(controller_.size(), now_);
  EXPECT_EQ(controller_.size(), 36U);
  now_ += 5s;
  controller_.on_done(36, now_);
  EXPECT_EQ(controller_.size(), 40U);
}

TEST_F(BatchSizeControllerTest, LearnsNothingFromTheRestsOfBatches) {
  controller_.on_request(now_);
  now_ += 1min;
  for (int i = 0; i < 100; ++i) controller_.on_done(31, now_);
  EXPECT_EQ(controller_.size(), 32U);
}

TEST_F(BatchSizeControllerTest, GrowsUpToTheCeilingAndNoFurther) {
  controller_.on_request(now_);
  work(500);
  EXPECT_EQ(controller_.size(), 64U);
}

TEST_F(BatchSizeControllerTest, StaysUnderWhatRanOutOfMemoryUntilThatIsDueToBeTriedAgain) {
  controller_ = BatchSizeController({.ceiling = 64, .retry = 10min});
  controller_.on_out_of_memory(48, now_);
  EXPECT_EQ(controller_.known_not_to_fit(now_), 48U);
  work(599);
  EXPECT_EQ(controller_.size(), 47U);
  work(10);
  EXPECT_FALSE(controller_.known_not_to_fit(now_));
  EXPECT_GE(controller_.size(), 48U);
}

TEST_F(BatchSizeControllerTest, LeavesASizeAloneForTwiceAsLongEachTimeItFailsAgain) {
  for (const auto retry : {10min, 20min, 40min}) {
    controller_.on_out_of_memory(64, now_);
    EXPECT_EQ(controller_.known_not_to_fit(now_ + retry - 1ns), 64U);
    EXPECT_FALSE(controller_.known_not_to_fit(now_ + retry));
    now_ += retry;
  }
  for (int i = 0; i < 30; ++i) {
    controller_.on_out_of_memory(64, now_);
    now_ += kLongestRetry;
    EXPECT_FALSE(controller_.known_not_to_fit(now_)) << "never for longer than a day";
  }
}

TEST_F(BatchSizeControllerTest, SearchesASizeThatFitsWithoutLeavingItAloneForLonger) {
  for (const auto chunk : {64, 32, 16}) controller_.on_out_of_memory(static_cast<std::uint64_t>(chunk), now_);
  EXPECT_EQ(controller_.known_not_to_fit(now_ + 10min - 1ns), 16U);
  EXPECT_FALSE(controller_.known_not_to_fit(now_ + 10min));
}

TEST_F(BatchSizeControllerTest, ForgetsAFailureWhenTheSizeFits) {
  controller_ = BatchSizeController({.ceiling = 64, .retry = 0s});
  controller_.on_out_of_memory(34, now_);
  work(200);
  EXPECT_EQ(controller_.size(), 64U);
  controller_.on_out_of_memory(64, now_);
  EXPECT_EQ(controller_.size(), 32U);
}

TEST_F(BatchSizeControllerTest, ShrinksWhenALevelIsReachedAndNotBecauseItLasts) {
  controller_.on_level(0, Level::Warning, now_);
  EXPECT_EQ(controller_.size(), 64U);
  controller_.on_level(0, Level::Critical, now_);
  EXPECT_EQ(controller_.size(), 32U);
  EXPECT_EQ(controller_.last_change()->cause, BatchSizeCause::Level);
  controller_.on_level(0, Level::Critical, now_ + 1h);
  EXPECT_EQ(controller_.size(), 32U);
  controller_.on_level(0, Level::Emergency, now_ + 1h);
  EXPECT_EQ(controller_.size(), 16U);
}

TEST_F(BatchSizeControllerTest, TakesSignalsSoonAfterAnotherForTheSameTrouble) {
  controller_.on_level(0, Level::Critical, now_);
  EXPECT_TRUE(controller_.on_request(now_ + 4s)) << "it is carried out already";
  controller_.on_level(1, Level::Emergency, now_ + 4s);
  EXPECT_EQ(controller_.size(), 32U);
  EXPECT_TRUE(controller_.on_request(now_ + 5s));
  EXPECT_EQ(controller_.size(), 16U);
}

TEST_F(BatchSizeControllerTest, GrowsOnlyWhenEveryDeviceIsCalm) {
  controller_.on_level(0, Level::Critical, now_);
  controller_.on_level(1, Level::Warning, now_);
  controller_.on_level(0, Level::Normal, now_);
  work(100);
  EXPECT_EQ(controller_.size(), 32U) << "GPU 1 is not";
  controller_.on_level(1, Level::Normal, now_);
  controller_.on_forecast(1, calm_forecast(0.2), now_);
  work(100);
  EXPECT_EQ(controller_.size(), 32U) << "its future is not";
  controller_.on_forecast(1, std::nullopt, now_);
  work(1);
  EXPECT_EQ(controller_.size(), 36U);
}

TEST_F(BatchSizeControllerTest, ShrinksWhenExhaustionIsNearAndAgainAfterEachHold) {
  controller_.on_forecast(0, foreseen(31), now_);
  EXPECT_EQ(controller_.size(), 64U);
  for (int second = 0; second < 60; ++second) {
    controller_.on_forecast(0, foreseen(30), now_ + std::chrono::seconds(second));
  }
  EXPECT_EQ(controller_.size(), 16U) << "at 0 s and at 30 s";
  EXPECT_EQ(controller_.last_change()->cause, BatchSizeCause::Forecast);
}

TEST_F(BatchSizeControllerTest, RefusesARequestAtTheFloor) {
  controller_ = BatchSizeController({.ceiling = 3, .floor = 2});
  EXPECT_TRUE(controller_.on_request(now_));
  EXPECT_EQ(controller_.size(), 2U);
  EXPECT_TRUE(controller_.on_request(now_)) << "of the same trouble";
  EXPECT_FALSE(controller_.on_request(now_ + 1min));
}

TEST(BatchSizeConfig, NamesTheFieldThatMakesNoSense) {
  const auto text = [](const BatchSizeConfig& config) { return config.validate().error().describe(); };
  EXPECT_TRUE(BatchSizeConfig{}.validate());
  EXPECT_THAT(text({.floor = 0}), HasSubstr("floor is 0"));
  EXPECT_THAT(text({.ceiling = 3, .floor = 4}), HasSubstr("floor is 4, above the ceiling of 3"));
  EXPECT_THAT(text({.decrease = 1}), HasSubstr("decrease is 1"));
  EXPECT_THAT(text({.decrease = 0}), HasSubstr("decrease is 0"));
  EXPECT_THAT(text({.calm_risk = 1.5}), HasSubstr("calm_risk is 1.5"));
  EXPECT_THAT(text({.hold = -1s}), HasSubstr("hold is negative"));
  EXPECT_THAT(text({.retry = 25h}), HasSubstr("retry is longer than a day"));
}

TEST(BatchSizeCause, HasAName) {
  EXPECT_EQ(to_string(OutOfMemory), "out_of_memory");
  EXPECT_EQ(to_string(BatchSizeCause::Level), "level");
  EXPECT_EQ(to_string(BatchSizeCause::Forecast), "forecast");
  EXPECT_EQ(to_string(Request), "request");
  EXPECT_EQ(to_string(Calm), "calm");
}

}  // namespace
}  // namespace dualgpuopt::memory
