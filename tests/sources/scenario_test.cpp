#include "dualgpuopt/memory/sources/scenario.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <fstream>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kScenario = R"(title = "Two things at once"
seed = 7
repeat_every = "3min"

[[gpu]]
name = "Big GPU"
total = "24GiB"
reserved = "500MiB"

[[gpu.process]]
pid = 4711
name = "train.py"
start = "2s"
stop = "1min"

[[gpu.process.motion]]
kind = "ramp"
at = "5s"
lasting = "20s"
amount = "12GiB"

[[gpu.process.motion]]
kind = "step"
at = "30s"
amount = "-2GiB"

[[gpu.process.motion]]
kind = "Noise"
lasting = "10s"
period = "1s"
amount = "64MiB"

[[gpu]]
total = "8GiB"
)";

std::string replaced(std::string_view what, std::string_view by) {
  std::string text(kScenario);
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

std::string error_of(std::string_view text) {
  const auto scenario = parse_scenario(text);
  if (scenario) return "no error";
  EXPECT_EQ(scenario.error().code(), ErrorCode::ParseFailed);
  return scenario.error().describe();
}

bool is_harmless(const std::string& line) {
  return std::none_of(line.begin(), line.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
}

TEST(ParseScenario, ReadsEverything) {
  const auto scenario = parse_scenario(kScenario);
  ASSERT_TRUE(scenario) << scenario.error().describe();
  EXPECT_EQ(scenario->title, "Two things at once");
  EXPECT_EQ(scenario->seed, 7U);
  EXPECT_EQ(scenario->repeat_every, 3min);
  ASSERT_EQ(scenario->devices.size(), 2U);
  EXPECT_EQ(scenario->devices[0].name, "Big GPU");
  EXPECT_EQ(scenario->devices[0].total, 24_GiB);
  EXPECT_EQ(scenario->devices[0].reserved, 500_MiB);
  ASSERT_EQ(scenario->devices[0].processes.size(), 1U);

  const auto& process = scenario->devices[0].processes[0];
  EXPECT_EQ(process.pid, 4711);
  EXPECT_EQ(process.name, "train.py");
  EXPECT_EQ(process.start, 2s);
  EXPECT_EQ(process.stop, 1min);
  ASSERT_EQ(process.motions.size(), 3U);
  EXPECT_EQ(process.motions[0].kind, MotionKind::Ramp);
  EXPECT_EQ(process.motions[0].at, 5s);
  EXPECT_EQ(process.motions[0].lasting, 20s);
  EXPECT_EQ(process.motions[0].amount, static_cast<SignedBytes>(12_GiB));
  EXPECT_EQ(process.motions[1].amount, -static_cast<SignedBytes>(2_GiB));
  EXPECT_EQ(process.motions[2].kind, MotionKind::Noise);
  EXPECT_EQ(process.motions[2].period, 1s);
}

TEST(ParseScenario, NeedsLittle) {
  const auto scenario = parse_scenario("[[gpu]]\ntotal = '8GiB'\n");
  ASSERT_TRUE(scenario) << scenario.error().describe();
  EXPECT_EQ(scenario->seed, 1U);
  EXPECT_FALSE(scenario->repeat_every);
  EXPECT_EQ(scenario->devices.at(0).name, "Simulated GPU");
  EXPECT_EQ(scenario->devices.at(0).reserved, 0U);
}

TEST(ParseScenario, NamesLineColumnKeyTextAndWhatWasExpected) {
  EXPECT_THAT(error_of(replaced("\"12GiB\"", "\"12 GXB\"")),
              AllOf(StartsWith("line 20, column 10: amount: cannot read \"12 GXB\" as a size"),
                    HasSubstr("expected a number with B, KiB")));
  EXPECT_THAT(error_of(replaced("\"20s\"", "\"soon\"")),
              AllOf(StartsWith("line 19, column 11: lasting: "), HasSubstr("\"soon\"")));
  EXPECT_THAT(error_of(replaced("\"ramp\"", "\"hop\"")),
              AllOf(StartsWith("line 17, column 8: kind: cannot read \"hop\" as a kind of motion"),
                    HasSubstr("step, ramp, sawtooth, leak or noise")));
}

TEST(ParseScenario, RefusesUnknownKeysEverywhere) {
  EXPECT_THAT(error_of("colour = 1\n[[gpu]]\ntotal = 1"),
              StartsWith("line 1, column 1: unknown key \"colour\" in the scenario"));
  EXPECT_THAT(error_of(replaced("reserved", "reserve")),
              StartsWith("line 8, column 1: unknown key \"reserve\" in [[gpu]]: expected one of name, total"));
  EXPECT_THAT(error_of(replaced("start =", "begin =")), HasSubstr("unknown key \"begin\" in [[gpu.process]]"));
  EXPECT_THAT(error_of(replaced("at = \"30s\"", "period = \"30s\"")),
              HasSubstr("unknown key \"period\" in [[gpu.process.motion]]: expected one of kind, at, amount"));
}

TEST(ParseScenario, RefusesMissingKeys) {
  EXPECT_THAT(error_of(""), HasSubstr("gpu: expected at least one [[gpu]]"));
  EXPECT_THAT(error_of("gpu = []"), HasSubstr("gpu: expected at least one [[gpu]]"));
  EXPECT_THAT(error_of("[[gpu]]"), StartsWith("line 1, column 1: the key \"total\" is missing in [[gpu]]"));
  EXPECT_THAT(error_of(replaced("pid = 4711", "")), HasSubstr("\"pid\" is missing in [[gpu.process]]"));
  EXPECT_THAT(error_of(replaced("name = \"train.py\"", "")), HasSubstr("\"name\" is missing in [[gpu.process]]"));
  EXPECT_THAT(error_of(replaced("kind = \"ramp\"", "")), HasSubstr("\"kind\" is missing in [[gpu.process.motion]]"));
  EXPECT_THAT(error_of(replaced("lasting = \"20s\"", "")), HasSubstr("\"lasting\" is missing"));
  EXPECT_THAT(error_of(replaced("period = \"1s\"", "")), HasSubstr("\"period\" is missing"));
  EXPECT_THAT(error_of(replaced("amount = \"12GiB\"", "")), HasSubstr("\"amount\" is missing"));
}

TEST(ParseScenario, RefusesWhatMakesNoSense) {
  EXPECT_THAT(error_of(replaced("\"3min\"", "0")), StartsWith("line 3, column 16: repeat_every: expected more than 0"));
  EXPECT_THAT(error_of(replaced("\"24GiB\"", "0")), HasSubstr("total: expected more than 0"));
  EXPECT_THAT(error_of(replaced("\"500MiB\"", "\"25GiB\"")), HasSubstr("reserved: expected no more than the total"));
  EXPECT_THAT(error_of(replaced("\"1min\"", "\"2s\"")), HasSubstr("stop: expected a time after the start"));
  EXPECT_THAT(error_of(replaced("\"1s\"", "0")), HasSubstr("period: expected more than 0"));
  EXPECT_THAT(error_of(replaced("\"64MiB\"", "\"-64MiB\"")), HasSubstr("amount: noise goes both ways"));
  EXPECT_THAT(error_of(replaced("4711", "0")), HasSubstr("pid: found the number 0, expected a whole number from 1"));
  EXPECT_THAT(error_of(replaced("seed = 7", "seed = -7")), HasSubstr("seed: found the number -7"));
}

TEST(ParseScenario, LetsAPidServeOneProcessAtATime) {
  const auto two = [](std::string_view second) {
    return "[[gpu]]\ntotal = 1\n[[gpu.process]]\npid = 5\nname = 'a'\nstop = 10\n[[gpu.process]]\npid = 5\nname = "
           "'b'\n" +
           std::string(second);
  };
  EXPECT_TRUE(parse_scenario(two("start = 10")));
  EXPECT_THAT(error_of(two("start = 9")),
              StartsWith("line 8, column 7: pid: 5 belongs to another process at the same time"));
}

TEST(ParseScenario, SurvivesTextThatIsNoToml) {
  EXPECT_THAT(error_of("[[gpu]\n"), StartsWith("line 1, column "));
  EXPECT_NE(error_of("\xff\xfe"), "no error");
  EXPECT_PRED1(is_harmless, error_of("a = \x1b[31m"));
  EXPECT_PRED1(is_harmless, error_of("a = i\x14"));
  EXPECT_PRED1(is_harmless, error_of("\x1b[31m = 1"));
  EXPECT_PRED1(is_harmless, error_of("a = 1\x1b[31m"));
  EXPECT_PRED1(is_harmless, error_of("a = '\x1b'"));
  EXPECT_PRED1(is_harmless, error_of("a = '\xc2\x9b'"));
  EXPECT_NE(error_of(std::string(1'000'000, 'x')), "no error");
  EXPECT_NE(error_of(std::string(100'000, '[')), "no error");
  EXPECT_NE(error_of("a = " + std::string(100'000, '[')), "no error");
  EXPECT_LT(error_of("title = [" + std::string(1'000'000, 'x') + "]").size(), 300U);
}

RC_GTEST_PROP(ParseScenario, NeverCrashesNorHandsControlCharactersOn, (const std::string& noise)) {
  const auto at = *rc::gen::inRange<std::size_t>(0, kScenario.size());
  auto text = std::string(kScenario).insert(at, noise);
  if (const auto scenario = parse_scenario(text); !scenario) {
    RC_ASSERT(scenario.error().describe().rfind("line ", 0) == 0U);
    RC_ASSERT(is_harmless(scenario.error().describe()));
  }
}

TEST(MotionKind, IsWrittenAsItIsRead) {
  for (const auto kind :
       {MotionKind::Step, MotionKind::Ramp, MotionKind::Sawtooth, MotionKind::Leak, MotionKind::Noise}) {
    EXPECT_EQ(parse_motion_kind(to_string(kind)), kind);
  }
  EXPECT_EQ(parse_motion_kind("LEAK"), MotionKind::Leak);
  EXPECT_FALSE(parse_motion_kind(""));
}

std::filesystem::path written(const std::string& name, std::string_view text) {
  const auto file = std::filesystem::path(::testing::TempDir()) / name;
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

TEST(LoadScenario, ReadsAFile) {
  const auto scenario = load_scenario(written("scenario_test.toml", kScenario));
  ASSERT_TRUE(scenario) << scenario.error().describe();
  EXPECT_EQ(scenario->title, "Two things at once");
}

TEST(LoadScenario, NamesTheFileInEveryError) {
  const auto missing = load_scenario("/nowhere/at-all.toml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::NotFound);
  EXPECT_EQ(missing.error().describe(), "scenario \"/nowhere/at-all.toml\": cannot be read: No such file or directory");

  const auto folder = load_scenario(::testing::TempDir());
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code(), ErrorCode::Io);

  const auto wrong = load_scenario(written("scenario_test_wrong.toml", "[[gpu]]\n"));
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().describe(), HasSubstr("scenario_test_wrong.toml\": line 1, column 1: "));
}

TEST(LoadScenario, ReadsNoEndlessFile) {
  const auto endless = load_scenario("/dev/zero");
  ASSERT_FALSE(endless);
  EXPECT_THAT(endless.error().describe(), HasSubstr("larger than 1 MiB"));
}

/// The fenced ```toml blocks of a document.
std::vector<std::string> toml_blocks(const std::filesystem::path& document) {
  std::ifstream input(document);
  std::vector<std::string> blocks;
  std::string line;
  bool inside = false;
  while (std::getline(input, line)) {
    if (line == "```toml") {
      inside = true;
      blocks.emplace_back();
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      blocks.back() += line + '\n';
    }
  }
  return blocks;
}

TEST(ScenarioDocument, HasExamplesThatParse) {
  const auto blocks = toml_blocks(std::filesystem::path(DUALGPUOPT_SOURCE_DIR) / "docs/scenarios.md");
  EXPECT_FALSE(blocks.empty());
  for (const auto& block : blocks) {
    const auto scenario = parse_scenario(block);
    EXPECT_TRUE(scenario) << block << scenario.error().describe();
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
