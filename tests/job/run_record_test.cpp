#include "job/run_record.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace dualgpuopt::memory::job {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

RunRecord record() {
  RunRecord made;
  made.command = {"python", "train.py"};
  made.job = 42;
  made.end = {3, 0};
  made.wall = 61s;
  made.source = "nvml";
  made.peak = Peak{5_GiB, 2s};
  made.peak_by_gpu = {{0, {5_GiB, 2s}}, {1, {0, 1s}}};
  made.samples = 7;
  return made;
}

TEST(RunRecord, ExitCodes) {
  auto made = record();
  EXPECT_EQ(made.exit_code(), 3);
  made.end = {0, 11};
  EXPECT_EQ(made.exit_code(), 139);
  made.terminated_for = Limit{std::nullopt, 5_GiB, 4_GiB};
  EXPECT_EQ(made.exit_code(), 143);
  made.killed = true;
  EXPECT_EQ(made.exit_code(), 137);
}

TEST(RunRecord, InWords) {
  EXPECT_EQ(describe(record()),
            "python exited with code 3 after 1 min 01 s\n"
            "peak GPU memory 5.0 GiB after 2 s (GPU 0 5.0 GiB after 2 s, GPU 1 0 B after 1 s), as 7 samples from nvml "
            "saw it\n");
  auto made = record();
  made.end = {0, 9};
  made.terminated_for = Limit{1, 5_GiB, 4_GiB};
  made.killed = true;
  made.unknown_for = 2s;
  made.unknown_reason = "GPU 1: lost";
  made.pressures = 2;
  made.pressure_runs = 1;
  made.still_running = 3;
  made.provenance = Provenance::Simulated;
  for (const auto* words :
       {"was ended by signal 9 (Killed)",
        "terminated by SIGKILL because it held 5.0 GiB of a budget of 4.0 GiB on GPU 1",
        "for 2 s not all of it was known: GPU 1: lost", "short of memory 2 times; the pressure command ran 1 times",
        "3 processes that it started go on", "simulated"}) {
    EXPECT_THAT(describe(made), HasSubstr(words));
  }
}

TEST(RunRecord, WithoutAMeasurement) {
  auto made = record();
  made.peak.reset();
  made.source.clear();
  made.not_measured = "no GPU";
  EXPECT_THAT(describe(made), HasSubstr("GPU memory was not measured: no GPU\n"));
  const auto json = nlohmann::json::parse(to_json(made));
  EXPECT_TRUE(json["peak_bytes"].is_null());
  EXPECT_TRUE(json["provenance"].is_null());
  EXPECT_EQ(json["reason"], "no GPU");
}

TEST(RunRecord, AsJson) {
  auto made = record();
  made.budget = {std::nullopt, {{0, 6_GiB}}};
  const auto json = nlohmann::json::parse(to_json(made));
  EXPECT_EQ(json["type"], "run");
  EXPECT_EQ(json["end"], "exit");
  EXPECT_EQ(json["command_code"], 3);
  EXPECT_EQ(json["gpus"][0]["peak_bytes"], 5_GiB);
  EXPECT_EQ(json["budget"]["by_gpu_bytes"]["0"], 6_GiB);
  EXPECT_EQ(json["provenance"], "driver");
}

TEST(RunRecord, WordsThatAreNoTextDoNotBreakTheJson) {
  auto made = record();
  made.command = {"\xff\n"};
  EXPECT_TRUE(nlohmann::json::accept(to_json(made)));
}

}  // namespace
}  // namespace dualgpuopt::memory::job
