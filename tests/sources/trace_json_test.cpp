#include "sources/trace_json.h"

#include <gmock/gmock.h>

#include "dualgpuopt/memory/metrics/json.h"
#include "sources/trace_texts.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kDevice =
    R"({"schema":1,"type":"device","gpu":1,"key":"GPU-a","name":"A100","vendor":"nvidia","kind":"mig","uuid":"GPU-a",)"
    R"("pci_address":"00000000:01:00.0","parent_key":"GPU-p"})";

/// A reading of GPU 0 at `t` with these further fields.
std::string reading_record(std::string_view t, std::string_view fields) {
  return R"({"schema":1,"type":"reading","t":)" + std::string(t) + R"(,"gpu":0,"provenance":"driver",)" +
         std::string(fields) + "}\n";
}

std::string ok_reading(std::string_view t, std::string_view more = "") {
  return reading_record(t, R"("status":"ok","total_bytes":100,"used_bytes":40,"free_bytes":50,"reserved_bytes":10,)"
                           R"("used_meaning":"without_reserved")" +
                               std::string(more));
}

TEST(ParseTraceJson, ReadsDevicesAndReadings) {
  const auto trace = parsed(std::string(kDevice) + "\n" + ok_reading("0.0", R"(,"time":"2023-11-14T22:13:20.250Z")") +
                            ok_reading("1.25"));
  ASSERT_EQ(trace.devices.size(), 2U);
  EXPECT_EQ(trace.devices[0].key, "trace-0");
  EXPECT_EQ(trace.devices[1], (Device{.gpu = 1,
                                      .key = "GPU-a",
                                      .name = "A100",
                                      .uuid = "GPU-a",
                                      .pci_address = "00000000:01:00.0",
                                      .parent_key = "GPU-p",
                                      .vendor = Vendor::Nvidia,
                                      .kind = DeviceKind::Mig}));
  ASSERT_EQ(trace.readings.size(), 2U);
  const auto& first = trace.readings[0];
  EXPECT_EQ(first.provenance, Provenance::Replayed) << "whatever the line says";
  EXPECT_EQ(first.memory, (MemoryUse{40, 100, 50, 10, UsedMeaning::WithoutReserved}));
  EXPECT_EQ(first.time.wall, WallTime(1'700'000'000'250ms));
  EXPECT_FALSE(first.processes);
  EXPECT_EQ(trace.readings[1].time.mono, MonoTime(1250ms));
  EXPECT_THAT(trace.warnings, IsEmpty());
}

TEST(ParseTraceJson, ReadsProcesses) {
  const auto trace = parsed(ok_reading(
      "5", R"(,"processes":[{"pid":7,"start_ticks":99,"name":"python","kind":"compute_and_graphics","used_bytes":30},)"
           R"({"pid":8,"start_ticks":null,"name":null,"kind":"compute","used_bytes":null}],"processes_t":4.5,)"
           R"("processes_reason":null)"));
  ASSERT_EQ(trace.readings.size(), 1U);
  const auto& list = *trace.readings[0].processes;
  EXPECT_EQ(list.time.mono, MonoTime(4500ms));
  ASSERT_EQ(list.entries.size(), 2U);
  EXPECT_EQ(list.entries[0], (ProcessMemory{7, 99, 30, ProcessKind::ComputeAndGraphics, "python"}));
  EXPECT_EQ(list.entries[1], (ProcessMemory{8, std::nullopt, std::nullopt, ProcessKind::Compute, ""}));
}

TEST(ParseTraceJson, ReadsWhatBecameOfProcesses) {
  const auto trace = parsed(
      ok_reading("5", R"(,"processes":[{"pid":7,"kind":"mps","presence":"zombie","driver_pid":4711}],"processes_t":5,)"
                      R"("processes_used_reason":"as under WSL")"));
  const auto& list = *trace.readings[0].processes;
  EXPECT_EQ(list.entries[0].kind, ProcessKind::Mps);
  EXPECT_EQ(list.entries[0].presence, ProcessPresence::Zombie);
  EXPECT_EQ(list.entries[0].driver_pid, 4711);
  EXPECT_EQ(list.used_reason, "as under WSL");
}

TEST(ParseTraceJson, ReadsEvents) {
  const auto trace = parsed(
      ok_reading("5", R"(,"events":[{"t":4.5,"kind":"xid","code":79},{"t":5,"kind":"ecc_corrected","code":null}])"));
  const auto& events = trace.readings[0].events;
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0], (DeviceEvent{{MonoTime(4500ms), {}}, DeviceEventKind::Xid, 79}));
  EXPECT_EQ(events[1].kind, DeviceEventKind::EccCorrected);
  for (const char* wrong : {R"(,"events":7)", R"(,"events":[7])", R"(,"events":[{"t":1}])",
                            R"(,"events":[{"kind":"surge"}])", R"(,"events":[{"kind":"xid","code":-1}])"}) {
    EXPECT_FALSE(parse_trace(ok_reading("5", wrong))) << wrong;
  }
}

TEST(ParseTraceJson, KeepsWhyThereIsNoList) {
  const auto trace = parsed(ok_reading("0", R"(,"processes":[],"processes_t":0,"processes_reason":"no permission")"));
  EXPECT_EQ(trace.readings[0].processes->reason, "no permission");
}

TEST(ParseTraceJson, KeepsUnavailableReadings) {
  const auto trace = parsed(reading_record("0", R"("status":"unavailable","reason":"GPU is lost","used_bytes":null)") +
                            reading_record("1", R"("status":"unavailable")") +
                            reading_record("2", R"("status":"stale","reason":"no answer","used_bytes":5)"));
  ASSERT_EQ(trace.readings.size(), 3U);
  EXPECT_EQ(trace.readings[0].reason, "GPU is lost");
  EXPECT_EQ(trace.readings[1].reason, "the recording gives no reason");
  EXPECT_FALSE(trace.readings[2].ok()) << "an old number is not one of this time";
}

TEST(ParseTraceJson, PassesOverUnknownRecordsAndKeys) {
  const auto trace =
      parsed(lines({R"({"schema":1,"type":"alert","level":"critical"})", R"({"schema":1,"type":"poem"})"}) +
             ok_reading("0", R"(,"colour":{"deep":[1,2,3]},"gpu_name":7)"));
  EXPECT_EQ(trace.readings.size(), 1U);
}

TEST(ParseTraceJson, SaysThatANewerSchemaIsNewer) {
  EXPECT_THAT(refusal(ok_reading("0") + R"({"schema":2,"type":"reading"})" + "\n"),
              HasSubstr("line 2: schema 2 is newer than schema 1"));
  EXPECT_THAT(refusal(R"({"type":"reading","t":0})"
                      "\n"),
              HasSubstr("line 1: schema is missing"));
}

TEST(ParseTraceJson, RefusesMalformedRecordsWithTheirLine) {
  const auto second = [](const std::string& record) { return refusal(ok_reading("0") + record); };
  EXPECT_EQ(second("not json\n"), "line 2: cannot read \"not json\" as a record: expected one JSON object a line");
  EXPECT_THAT(second("[1]\n"), HasSubstr("one JSON object a line"));
  EXPECT_THAT(second("{\"schema\":1}\n"), HasSubstr("line 2: type is missing"));
  EXPECT_THAT(second(reading_record("1", R"("status":"ok")")), HasSubstr("line 2: used_bytes is missing"));
  EXPECT_THAT(second(reading_record("1", R"("used_bytes":5)")), HasSubstr("line 2: status is missing"));
  EXPECT_THAT(second(reading_record("null", R"("status":"ok","used_bytes":5)")), HasSubstr("line 2: t is missing"));
  EXPECT_THAT(second(reading_record("-1", R"("status":"ok","used_bytes":5)")), HasSubstr("line 2: cannot read"));
  EXPECT_THAT(second(reading_record("NaN", R"("status":"ok","used_bytes":5)")), HasSubstr("one JSON object a line"));
  EXPECT_THAT(second(reading_record("1e999", R"("status":"ok","used_bytes":5)")), HasSubstr("line 2"));
  EXPECT_THAT(second(reading_record("1", R"("status":"ok","used_bytes":-5)")), HasSubstr("\"-5\" as used_bytes"));
  EXPECT_THAT(second(reading_record("1", R"("status":"ok","used_bytes":9223372036854775808)")), HasSubstr("2^63"));
  EXPECT_THAT(second(reading_record("1", R"("status":"great","used_bytes":5)")), HasSubstr("as a status; expected ok"));
  EXPECT_THAT(second(R"({"schema":1,"type":"device","gpu":0})"
                     "\n"),
              HasSubstr("line 2: key is missing"));
}

TEST(ParseTraceJson, RefusesMalformedProcesses) {
  const auto with_list = [](std::string_view list) {
    return refusal(ok_reading("0", ",\"processes\":" + std::string(list)));
  };
  EXPECT_THAT(with_list("7"), HasSubstr("a list or null"));
  EXPECT_THAT(with_list("[7]"), HasSubstr("a list of objects"));
  EXPECT_THAT(with_list("[{}]"), HasSubstr("pid is missing"));
  EXPECT_THAT(with_list(R"([{"pid":2147483648}])"), HasSubstr("a process number"));
  EXPECT_THAT(with_list(R"([{"pid":1,"kind":"poetry"}])"), HasSubstr("as a kind of process"));
}

TEST(ParseTraceJson, RefusesTotalZeroAndTimeGoingBack) {
  EXPECT_THAT(refusal(reading_record("0", R"("status":"ok","used_bytes":0,"total_bytes":0)")), HasSubstr("is 0"));
  EXPECT_THAT(refusal(ok_reading("1") + ok_reading("0.5")), HasSubstr("line 2: time goes back"));
}

TEST(ParseTraceJson, KeepsUsedAboveTotalAsRecorded) {
  const auto trace = parsed(reading_record("0", R"("status":"ok","used_bytes":9,"total_bytes":5,"free_bytes":0)"));
  EXPECT_EQ(trace.readings[0].memory, MemoryUse::from_used_and_total(9, 5));
  EXPECT_THAT(trace.warnings, ElementsAre(HasSubstr("used is above total")));
}

TEST(ParseTraceJson, LeavesOutALastLineThatACrashCutOff) {
  const auto whole = ok_reading("1");
  for (std::size_t length = 1; length < whole.size() - 2; ++length) {
    const auto trace = parsed(ok_reading("0") + whole.substr(0, length));
    EXPECT_EQ(trace.readings.size(), 1U) << length;
    EXPECT_THAT(trace.warnings, ElementsAre(HasSubstr("line 2 is cut off"))) << length;
  }
}

TEST(ParseTraceJson, BoundsWhatAHostileLineCosts) {
  EXPECT_THAT(refusal("{" + std::string(kLongestJsonLine, ' ') + "}\n"), HasSubstr("a line of at most 1 MiB"));
  const auto deep = refusal("{\"schema\":" + std::string(1'000'000, '[') + "\n");
  EXPECT_THAT(deep, HasSubstr("line 1"));
  EXPECT_LT(deep.size(), 200U);
}

}  // namespace
}  // namespace dualgpuopt::memory
