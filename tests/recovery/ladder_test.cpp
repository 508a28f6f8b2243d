#include "dualgpuopt/memory/recovery/ladder.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::string refusal(const LadderConfig& config) {
  const auto result = config.validate();
  if (result) return "valid";
  EXPECT_EQ(result.error().code(), ErrorCode::InvalidArgument);
  return result.error().message();
}

TEST(LadderConfig, IsValidAsItComes) { EXPECT_TRUE(LadderConfig().validate()); }

TEST(LadderConfig, TakesNoRungsAndNoWaiting) {
  LadderConfig config;
  config.rungs.clear();
  config.settle = config.cooldown = 0s;
  config.terminate_above_percent = 100;
  EXPECT_EQ(refusal(config), "valid");
}

TEST(LadderConfig, RefusesARungTwice) {
  LadderConfig config;
  config.rungs = {RecoveryStrategy::Offload, RecoveryStrategy::ClearCache, RecoveryStrategy::Offload};
  EXPECT_EQ(refusal(config), "rungs has offload twice");
}

TEST(LadderConfig, RefusesATargetThatNothingOrEverythingMeets) {
  LadderConfig config;
  for (const double percent : {0.0, 100.0, -1.0, 120.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    config.target_percent = percent;
    EXPECT_THAT(refusal(config), HasSubstr("target_percent is ")) << percent;
  }
  config.target_percent = 99.9;
  EXPECT_EQ(refusal(config), "valid");
}

TEST(LadderConfig, RefusesATerminateThresholdThatIsNoPercentage) {
  LadderConfig config;
  for (const double percent : {0.0, 100.1, -1.0, std::nan("")}) {
    config.terminate_above_percent = percent;
    EXPECT_THAT(refusal(config), HasSubstr("terminate_above_percent is ")) << percent;
  }
}

TEST(LadderConfig, RefusesImpossibleLimitsByRungAndName) {
  LadderConfig config;
  config.limits[RecoveryStrategy::Offload].time_limit = 0s;
  EXPECT_THAT(refusal(config), HasSubstr("offload.time_limit is 0"));
  config.limits[RecoveryStrategy::Offload] = {.settle = -1ns};
  EXPECT_EQ(refusal(config), "offload.settle is negative");
  config.limits[RecoveryStrategy::Offload] = {.rest = -1ns};
  EXPECT_EQ(refusal(config), "offload.rest is negative");
  config.limits[RecoveryStrategy::Offload] = {.settle = 0s, .attempts = 0, .rest = 0s};
  EXPECT_EQ(refusal(config), "valid");
}

TEST(LadderConfig, RefusesImpossibleDurationsByName) {
  LadderConfig config;
  config.settle = -1ns;
  EXPECT_EQ(refusal(config), "settle is negative");
  config = {};
  config.cooldown = -1ms;
  EXPECT_EQ(refusal(config), "cooldown is negative");
  config = {};
  config.rung_time_limit = -1ms;
  EXPECT_EQ(refusal(config), "rung_time_limit is negative");
  config.rung_time_limit = 0ms;
  EXPECT_THAT(refusal(config), HasSubstr("rung_time_limit is 0"));
  config = {};
  config.cooldown = Duration::max();
  EXPECT_EQ(refusal(config), "cooldown is longer than a hundred years");
}

}  // namespace
}  // namespace dualgpuopt::memory
