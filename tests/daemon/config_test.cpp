#include "dualgpuopt/memory/daemon/config.h"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string complaint(std::string_view text) {
  const auto config = parse_config(text);
  return config ? "none" : config.error().describe();
}

TEST(ParseConfig, AnEmptyFileLeavesEverythingAsItComes) {
  const auto config = parse_config("");
  ASSERT_TRUE(config) << config.error().describe();
  EXPECT_EQ(config->thresholds, AlertThresholds{});
  EXPECT_EQ(config->polling, PollingConfig{});
}

TEST(ParseConfig, ReadsEveryKey) {
  const auto config = parse_config(R"(
    [polling]
    usual = "2s"
    shortest = 0.5
    longest = "10s"
    processes = "30s"
    [thresholds]
    adaptive = true
    hysteresis = 3
    repeat_interval = "1h"
    forecast_hold = "20s"
    [thresholds.warning]
    percent = "70%"
    lowest = "50%"
    highest = "85%"
    free = "4GiB"
    minimum_duration = "5s"
    time_to_oom = "2min"
    [thresholds.critical]
    percent = 85
    [thresholds.emergency]
    percent = 92.5
    [ladder]
    rungs = ["offload", "clear_cache"]
    trigger = "emergency"
    target = "60%"
    by_forecast = false
    forecast_margin = "3s"
    terminate_above = 97
    settle = "1s"
    cooldown = "2min"
    rung_time_limit = "20s"
    verification = "callback"
    mode = "dry_run"
    [ladder.offload]
    time_limit = "30s"
    settle = "2s"
    from = "emergency"
    by_forecast = false
    attempts = 5
    rest = "3min"
    [forecast]
    horizon = "5min"
    [dispatch]
    order = "recovery_first"
  )");
  ASSERT_TRUE(config) << config.error().describe();
  EXPECT_EQ(config->polling, (PollingConfig{2s, 500ms, 10s, 30s}));
  EXPECT_TRUE(config->thresholds.adaptive);
  EXPECT_EQ(config->thresholds.warning.range, (PercentRange{50, 85}));
  EXPECT_EQ(config->thresholds.hysteresis_percent, 3);
  EXPECT_EQ(config->thresholds.repeat_interval, 1h);
  EXPECT_EQ(config->thresholds.warning, (LevelThreshold{70, 4_GiB, 5s, Seconds(120), {50, 85}}));
  EXPECT_EQ(config->thresholds.critical.percent, 85);
  EXPECT_EQ(config->thresholds.emergency.percent, 92.5);
  EXPECT_THAT(config->ladder.rungs, ElementsAre(RecoveryStrategy::Offload, RecoveryStrategy::ClearCache));
  EXPECT_EQ(config->ladder.trigger, Level::Emergency);
  EXPECT_EQ(config->ladder.target_percent, 60);
  EXPECT_FALSE(config->ladder.by_forecast);
  EXPECT_EQ(config->ladder.forecast_margin, 3s);
  EXPECT_EQ(config->ladder.terminate_above_percent, 97);
  EXPECT_EQ(config->ladder.settle, 1s);
  EXPECT_EQ(config->ladder.cooldown, 2min);
  EXPECT_EQ(config->ladder.rung_time_limit, 20s);
  EXPECT_EQ(config->ladder.verification, Verification::Callback);
  EXPECT_EQ(config->ladder.mode, ActionMode::DryRun);
  const auto offload = config->ladder.limits_of(RecoveryStrategy::Offload);
  EXPECT_EQ(offload.time_limit, 30s);
  EXPECT_EQ(offload.settle, 2s);
  EXPECT_EQ(offload.from, Level::Emergency);
  EXPECT_FALSE(offload.by_forecast);
  EXPECT_EQ(offload.attempts, 5U);
  EXPECT_EQ(offload.rest, 3min);
  EXPECT_EQ(config->ladder.limits.count(RecoveryStrategy::Terminate), 0U);
  EXPECT_EQ(config->horizon, 5min);
  EXPECT_EQ(config->dispatch, DispatchOrder::RecoveryFirst);
}

TEST(ParseConfig, NamesLineKeyAndWhatWasExpected) {
  EXPECT_THAT(complaint("[thresholds]\nwarming = 80"),
              AllOf(HasSubstr("line 2"), HasSubstr("warming"), HasSubstr("warning")));
  EXPECT_THAT(complaint("[polling]\nusual = \"soon\""),
              AllOf(HasSubstr("line 2"), HasSubstr("usual"), HasSubstr("\"soon\"")));
  EXPECT_THAT(complaint("[ladder]\nrungs = [\"pray\"]"), AllOf(HasSubstr("rungs"), HasSubstr("clear_cache")));
  EXPECT_THAT(complaint("[ladder]\nrungs = \"offload\""), HasSubstr("a list of texts"));
  EXPECT_THAT(complaint("[ladder]\nverification = \"hope\""), HasSubstr("measured or callback"));
  EXPECT_THAT(complaint("[ladder]\ntrigger = 3"), HasSubstr("a text"));
  EXPECT_THAT(complaint("[ladder.offload]\nattempts = -1"), HasSubstr("attempts"));
  EXPECT_THAT(complaint("[ladder.offload]\ntimelimit = 1"), HasSubstr("timelimit"));
  EXPECT_THAT(complaint("[ladder.offload]\ntime_limit = 0"), HasSubstr("offload.time_limit is 0"));
  EXPECT_THAT(complaint("[thresholds]\nwarning = 80"), HasSubstr("found the number 80, expected a table"));
  EXPECT_THAT(complaint("[thresholds.warning]\npercent = 180"), HasSubstr("more than 100"));
  EXPECT_THAT(complaint("[[["), HasSubstr("line 1"));
}

TEST(ParseConfig, RefusesValuesThatContradictEachOther) {
  EXPECT_THAT(complaint("[thresholds.warning]\npercent = 99"), HasSubstr("warning"));
  EXPECT_THAT(complaint("[polling]\nusual = \"1min\""), HasSubstr("must not descend"));
}

TEST(LoadConfig, NamesTheFile) {
  EXPECT_THAT(load_config("/nothing/there.toml").error().describe(), HasSubstr("/nothing/there.toml: cannot be read"));
}

TEST(LoadConfig, ReadsTheExampleOfTheDocumentation) {
  std::ifstream document(DUALGPUOPT_SOURCE_DIR "/docs/configuration.md");
  std::stringstream text;
  text << document.rdbuf();
  const auto begin = text.str().find("```toml\n");
  ASSERT_NE(begin, std::string::npos);
  const auto example = text.str().substr(begin + 8, text.str().find("\n```", begin) - begin - 7);
  EXPECT_EQ(complaint(example), "none");
}

}  // namespace
}  // namespace dualgpuopt::memory
