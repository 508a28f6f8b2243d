#include "dualgpuopt/memory/metrics/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;

const TimeStamp kTime{MonoTime(12500ms), WallTime(1'700'000'000'250ms)};
const TimeStamp kReplayedTime{MonoTime(12500ms), std::nullopt};

MemoryUse driver_use() {
  return {
      .used = 20_GiB, .total = 24_GiB, .free = 3_GiB, .reserved = 1_GiB, .used_meaning = UsedMeaning::WithoutReserved};
}

Reading driver_reading() {
  Reading reading;
  reading.gpu = 1;
  reading.time = kTime;
  reading.memory = driver_use();
  return reading;
}

ProcessMemory trainer() {
  return {.pid = 4711,
          .start_ticks = 123456,
          .used = 19_GiB,
          .kind = ProcessKind::Compute,
          .name = "python3",
          .presence = ProcessPresence::Alive,
          .driver_pid = 90210};
}
ProcessMemory hidden_process() {
  return {.pid = 4712, .start_ticks = {}, .used = {}, .kind = ProcessKind::Graphics, .name = {}};
}

Reading with_processes(Reading reading, ProcessList list) {
  reading.processes = std::make_shared<const ProcessList>(std::move(list));
  return reading;
}

Forecast leak_forecast() {
  Forecast forecast;
  forecast.time = kReplayedTime;
  forecast.horizon = 60s;
  forecast.time_to_oom = Seconds(41.23456);
  forecast.time_to_oom_low = Seconds(30);
  forecast.risk = 0.83333333;
  forecast.expected_used = 23_GiB;
  forecast.expected_used_low = 22_GiB;
  forecast.expected_used_high = 25_GiB;
  forecast.slope_bytes_per_second = 1048576.4;
  forecast.regime = Regime::Growing;
  return forecast;
}

const std::string kDriverReading =
    R"({"schema":1,"type":"reading","t":12.5,"time":"2023-11-14T22:13:20.250Z","gpu":1,"provenance":"driver",)"
    R"("status":"ok","reason":null,"total_bytes":25769803776,"used_bytes":21474836480,"free_bytes":3221225472,)"
    R"("reserved_bytes":1073741824,"used_meaning":"without_reserved","used_percent":87.5,"unattributed_bytes":null,)"
    R"("processes":null})";

const std::string kLeakForecast =
    R"({"schema":1,"type":"forecast","t":12.5,"time":null,"gpu":1,"provenance":"driver","used_bytes":22548578304,)"
    R"("time_to_oom_s":41.235,"time_to_oom_low_s":30.0,"time_to_oom_high_s":null,"risk":0.833333,"horizon_s":60.0,)"
    R"("expected_used_bytes":24696061952,"expected_used_low_bytes":23622320128,)"
    R"("expected_used_high_bytes":26843545600,"slope_bytes_per_second":1048576,)"
    R"("regime":"growing","step_bytes":null,"period_s":null,"since_oom_s":null,"explanation":"grows by 1 MiB/s"})";

TEST(DeviceJson, ShowsIdentityAndPlace) {
  Device device;
  device.gpu = 1;
  device.key = "GPU-1";
  device.name = "NVIDIA GeForce RTX 3090";
  device.uuid = "GPU-1";
  device.pci_address = "00000000:01:00.0";
  device.vendor = Vendor::Nvidia;
  EXPECT_EQ(to_json(device),
            R"({"schema":1,"type":"device","gpu":1,"key":"GPU-1","name":"NVIDIA GeForce RTX 3090","vendor":"nvidia",)"
            R"("kind":"gpu","uuid":"GPU-1","pci_address":"00000000:01:00.0","parent_key":null})");
}

TEST(DeviceJson, ShowsTheParentOfAnInstance) {
  Device device;
  device.key = "MIG-7";
  device.kind = DeviceKind::Mig;
  device.parent_key = "GPU-1";
  EXPECT_EQ(to_json(device), R"({"schema":1,"type":"device","gpu":0,"key":"MIG-7","name":"","vendor":"unknown",)"
                             R"("kind":"mig","uuid":null,"pci_address":null,"parent_key":"GPU-1"})");
}

TEST(DeviceJson, SurvivesANameThatIsNotUtf8) {
  Device device;
  device.name = "GPU \xff\n\"";
  EXPECT_EQ(nlohmann::json::parse(to_json(device))["name"], "GPU \xef\xbf\xbd\n\"");
}

TEST(ReadingJson, ShowsWhatTheDriverSaid) { EXPECT_EQ(to_json(driver_reading()), kDriverReading); }

TEST(ReadingJson, RoundsThePercentToTwoDecimals) {
  Reading reading;
  reading.memory = MemoryUse::from_used_and_total(1, 3);
  EXPECT_EQ(nlohmann::json::parse(to_json(reading))["used_percent"], 33.33);
}

TEST(ReadingJson, HasNoNumbersWhenUnavailable) {
  EXPECT_EQ(to_json(Reading::unavailable(0, kReplayedTime, Provenance::Simulated, "GPU is lost")),
            R"({"schema":1,"type":"reading","t":12.5,"time":null,"gpu":0,"provenance":"simulated",)"
            R"("status":"unavailable","reason":"GPU is lost","total_bytes":null,"used_bytes":null,"free_bytes":null,)"
            R"("reserved_bytes":null,"used_meaning":null,"used_percent":null,"unattributed_bytes":null,)"
            R"("processes":null})");
}

TEST(ReadingJson, HasNullForWhatARecordingDoesNotKnow) {
  Reading reading;
  reading.time = kReplayedTime;
  reading.provenance = Provenance::Replayed;
  reading.memory = MemoryUse::from_used_and_total(2_GiB, std::nullopt);
  EXPECT_EQ(to_json(reading),
            R"({"schema":1,"type":"reading","t":12.5,"time":null,"gpu":0,"provenance":"replayed","status":"ok",)"
            R"("reason":null,"total_bytes":null,"used_bytes":2147483648,"free_bytes":null,"reserved_bytes":null,)"
            R"("used_meaning":"with_reserved","used_percent":null,"unattributed_bytes":null,"processes":null})");
}

TEST(ReadingJson, ListsProcessesWithTheTimeOfTheList) {
  const auto reading =
      with_processes(driver_reading(), {.time = {MonoTime(10s), {}}, .entries = {trainer()}, .reason = {}});
  const auto json = nlohmann::ordered_json::parse(to_json(reading));
  EXPECT_EQ(json["unattributed_bytes"], 1_GiB);
  EXPECT_EQ(json["processes"].dump(),
            R"([{"pid":4711,"start_ticks":123456,"name":"python3","kind":"compute","used_bytes":20401094656,)"
            R"("presence":"alive","driver_pid":90210}])");
  EXPECT_EQ(json["processes_t"].dump(), "10.0");
  EXPECT_EQ(json["processes_reason"].dump(), "null");
  EXPECT_EQ(json["processes_used_reason"].dump(), "null");
}

TEST(ReadingJson, HasNullForWhatCannotBeSeenOfAProcess) {
  const auto reading = with_processes(
      driver_reading(), {.time = {}, .entries = {hidden_process()}, .reason = {}, .used_reason = "as under WSL"});
  const auto json = nlohmann::ordered_json::parse(to_json(reading));
  EXPECT_EQ(json["processes"].dump(),
            R"([{"pid":4712,"start_ticks":null,"name":null,"kind":"graphics","used_bytes":null,)"
            R"("presence":"unseen","driver_pid":null}])");
  EXPECT_EQ(json["processes_used_reason"], "as under WSL");
  EXPECT_TRUE(json["unattributed_bytes"].is_null());
}

TEST(ReadingJson, MarksAnEstimate) {
  auto reading = driver_reading();
  reading.memory->used_meaning = UsedMeaning::Estimate;
  EXPECT_EQ(nlohmann::json::parse(to_json(reading))["used_meaning"], "estimate");
}

TEST(ReadingJson, HasEventsWhereThereAreSome) {
  auto reading = driver_reading();
  reading.events = {{{MonoTime(11s), {}}, DeviceEventKind::Xid, 79},
                    {{MonoTime(12s), {}}, DeviceEventKind::EccUncorrected, 0}};
  EXPECT_EQ(nlohmann::ordered_json::parse(to_json(reading))["events"].dump(),
            R"x([{"t":11.0,"kind":"xid","code":79,"text":"Xid 79 (the GPU has fallen off the bus)"},)x"
            R"x({"t":12.0,"kind":"ecc_uncorrected","code":null,"text":"uncorrected ECC error"}])x");
}

TEST(ReadingJson, SaysWhyAListWasRefusedAndTellsItFromNotAsked) {
  const auto refused = with_processes(driver_reading(), {.time = {}, .entries = {}, .reason = "no permission"});
  const auto json = nlohmann::ordered_json::parse(to_json(refused));
  EXPECT_EQ(json["processes"].dump(), "[]");
  EXPECT_EQ(json["processes_reason"], "no permission");
  EXPECT_TRUE(json["unattributed_bytes"].is_null());
}

TEST(ForecastJson, RoundsToWhatIsWorthReading) {
  EXPECT_EQ(to_json(leak_forecast(), 1, 21_GiB, Provenance::Driver), kLeakForecast);
}

TEST(ForecastJson, HasNullWhereNothingIsForeseen) {
  Forecast calm;
  calm.slope_bytes_per_second = -0.3;
  const auto json = nlohmann::json::parse(to_json(calm, 0, 0, Provenance::Replayed));
  for (const auto* field : {"time_to_oom_s", "time_to_oom_low_s", "time_to_oom_high_s", "risk"}) {
    EXPECT_TRUE(json[field].is_null()) << field;
  }
  EXPECT_EQ(json["slope_bytes_per_second"].dump(), "0");
  EXPECT_EQ(json["provenance"], "replayed");
}

TEST(ForecastJson, HasNullForWhatIsNoNumber) {
  Forecast broken;
  broken.time_to_oom = Seconds(std::nan(""));
  broken.risk = INFINITY;
  broken.slope_bytes_per_second = -INFINITY;
  const auto json = nlohmann::json::parse(to_json(broken, 0, 0, Provenance::Driver));
  for (const auto* field : {"time_to_oom_s", "risk", "slope_bytes_per_second"}) {
    EXPECT_TRUE(json[field].is_null()) << field;
  }
}

Decision climb() {
  Decision decision;
  decision.id = 7;
  decision.gpu = 1;
  decision.started = kTime;
  decision.took = 2750ms;
  decision.mode = ActionMode::Execute;
  decision.level = Level::Critical;
  decision.evidence = driver_reading();
  decision.forecast = leak_forecast();
  decision.target_used = 18_GiB;
  decision.rungs = {
      {RecoveryStrategy::ClearCache, RungOutcome::FreedNothing, "", 21_GiB, 21_GiB, 600ms},
      {RecoveryStrategy::ReduceBatch,
       RungOutcome::Freed,
       "batch 32 to 16",
       21_GiB,
       17_GiB,
       2100ms,
       9_GiB,
       5_GiB,
       {{"python, PID 7", 4_GiB, 0.5, true, "the largest"}}},
  };
  decision.end = DecisionEnd::TargetReached;
  decision.reason = "17.0 GiB are in use";
  decision.freed = SignedBytes{4} << 30;
  return decision;
}

TEST(DecisionJson, TellsTheWholeClimb) {
  EXPECT_EQ(
      to_json(climb()),
      R"({"schema":1,"type":"decision","t":12.5,"time":"2023-11-14T22:13:20.250Z","id":7,"gpu":1,)"
      R"("provenance":"driver","mode":"execute","cause":"level","level":"critical","target_used_bytes":19327352832,)"
      R"("end":"target_reached","reason":"17.0 GiB are in use","freed_bytes":4294967296,"took_s":2.75,"rungs":[)"
      R"({"strategy":"clear_cache","outcome":"freed_nothing","detail":null,"used_before_bytes":22548578304,)"
      R"("used_after_bytes":22548578304,"own_before_bytes":null,"own_after_bytes":null,"took_s":0.6,"candidates":[]},)"
      R"({"strategy":"reduce_batch","outcome":"freed","detail":"batch 32 to 16",)"
      R"("used_before_bytes":22548578304,"used_after_bytes":18253611008,"own_before_bytes":9663676416,)"
      R"("own_after_bytes":5368709120,"took_s":2.1,"candidates":[{"what":"python, PID 7","bytes":4294967296,)"
      R"("score":0.5,"chosen":true,"reason":"the largest"}]}],)"
      R"("evidence":)" +
          kDriverReading + R"(,"forecast":)" + kLeakForecast + "}");
}

TEST(DecisionJson, HasNullForWhatWasNotMeasuredOrForecast) {
  auto decision = climb();
  decision.forecast.reset();
  decision.freed.reset();
  decision.rungs.clear();
  const auto json = nlohmann::json::parse(to_json(decision));
  EXPECT_TRUE(json["forecast"].is_null());
  EXPECT_TRUE(json["freed_bytes"].is_null());
  EXPECT_EQ(json["rungs"].dump(), "[]");
}

TEST(DecisionJson, InventsNoUseForUnavailableEvidence) {
  auto decision = climb();
  decision.evidence = Reading::unavailable(1, kTime, Provenance::Driver, "GPU is lost");
  EXPECT_TRUE(nlohmann::json::parse(to_json(decision))["forecast"]["used_bytes"].is_null());
}

}  // namespace
}  // namespace dualgpuopt::memory
