#include "sources/trace_csv.h"

#include <gmock/gmock.h>

#include "sources/trace_texts.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(IsTraceCsvHeader, KnowsTheFourNames) {
  EXPECT_TRUE(is_trace_csv_header("t_s,gpu,used_bytes,total_bytes"));
  EXPECT_TRUE(is_trace_csv_header("t_s, gpu, used_bytes, total_bytes"));
  EXPECT_FALSE(is_trace_csv_header("t_s,gpu,used_bytes"));
  EXPECT_FALSE(is_trace_csv_header("0.000,0,1,2"));
}

TEST(ParseTraceCsv, ReadsRowsOfSeveralGpus) {
  const auto trace = parsed(csv({"0.000,0,1048576,25757220864", "0.000,1,2097152,", "1.005,0,3145728,25757220864"}));
  ASSERT_EQ(trace.readings.size(), 3U);
  const auto& first = trace.readings[0];
  EXPECT_TRUE(first.ok());
  EXPECT_EQ(first.provenance, Provenance::Replayed);
  EXPECT_EQ(first.memory, MemoryUse::from_used_and_total(1_MiB, 25757220864));
  EXPECT_FALSE(first.time.wall) << "the form has no wall time";
  EXPECT_FALSE(trace.readings[1].memory->total) << "an empty total is unknown, not 0";
  EXPECT_FALSE(trace.readings[1].memory->free);
  EXPECT_EQ(trace.readings[2].time.mono, MonoTime(1005ms));
  ASSERT_EQ(trace.devices.size(), 2U);
  EXPECT_EQ(trace.devices[1].gpu, 1);
  EXPECT_EQ(trace.devices[1].key, "trace-1");
  EXPECT_THAT(trace.warnings, IsEmpty());
}

TEST(ParseTraceCsv, KeepsTheRecordingsOwnSeconds) {
  auto trace = parsed(csv({"100.500,0,1,2", "101.750,0,1,2"}));
  EXPECT_THAT(trace.times(), ElementsAre(MonoTime(100500ms), MonoTime(101750ms)));
  trace.count_from_first_row();
  EXPECT_THAT(trace.times(), ElementsAre(MonoTime(0s), MonoTime(1250ms)));
}

TEST(ParseTraceCsv, DoesNotMindWindowsLineEndsMarksAndBlanks) {
  const auto trace = parsed("\xEF\xBB\xBFt_s,gpu,used_bytes,total_bytes\r\n0.0, 0, 1, 2 \r\n\r\n 1.0,0,1,2\t\r\n");
  EXPECT_EQ(trace.readings.size(), 2U);
}

TEST(ParseTraceCsv, PassesOverAHeaderFurtherDown) {
  EXPECT_EQ(parsed(csv({"0,0,1,2", "t_s,gpu,used_bytes,total_bytes", "1,0,1,2"})).readings.size(), 2U);
}

TEST(ParseTraceCsv, KeepsSeveralRowsOfOneGpuAtOneTime) {
  const auto trace = parsed(csv({"0,0,1,9", "0,0,2,9", "0,0,3,9", "1,0,4,9"}));
  ASSERT_EQ(trace.readings.size(), 4U);
  EXPECT_EQ(trace.readings[2].memory->used, 3U);
  EXPECT_EQ(trace.readings[2].time.mono, MonoTime(0s));
}

TEST(ParseTraceCsv, RefusesMalformedRowsWithLineAndExpectation) {
  EXPECT_EQ(refusal(csv({"0,0,1,2", "1,0,abc,2"})),
            "line 3: cannot read \"abc\" as used_bytes: expected a whole number of bytes from 0 to 2^63 - 1");
  EXPECT_EQ(refusal(csv({"0,0,1"})), "line 2: cannot read \"0,0,1\" as a row: expected t_s,gpu,used_bytes,total_bytes");
  EXPECT_THAT(refusal(csv({"0,0,1,2,3"})), HasSubstr("line 2"));
  EXPECT_THAT(refusal(csv({"0,0,,2"})), HasSubstr("as used_bytes"));
  EXPECT_THAT(refusal(csv({"0,0,1,many"})), HasSubstr("as total_bytes"));
  EXPECT_THAT(refusal(csv({",0,1,2"})), HasSubstr("as t_s"));
}

TEST(ParseTraceCsv, RefusesNumbersThatAreNone) {
  for (const auto* time : {"nan", "inf", "-inf", "-1", "1e300", "0x10", "5e9", "1,5"}) {
    EXPECT_THAT(refusal(csv({std::string(time) + ",0,1,2"})), HasSubstr("line 2")) << time;
  }
  for (const auto* used : {"nan", "inf", "-1", "1.5", "9223372036854775808", "99999999999999999999"}) {
    EXPECT_THAT(refusal(csv({"0,0," + std::string(used) + ",2"})), HasSubstr("as used_bytes")) << used;
  }
}

TEST(ParseTraceCsv, RefusesAbsurdGpuIndices) {
  for (const auto* gpu : {"1024", "2147483648", "-1", "GPU-0"}) {
    EXPECT_THAT(refusal(csv({"0," + std::string(gpu) + ",1,2"})), HasSubstr("a GPU index from 0 to 1023")) << gpu;
  }
  EXPECT_EQ(parsed(csv({"0,1023,1,2"})).devices.size(), 1U);
}

TEST(ParseTraceCsv, RefusesATotalOfZero) { EXPECT_THAT(refusal(csv({"0,0,0,0"})), HasSubstr("total of GPU 0 is 0")); }

TEST(ParseTraceCsv, KeepsUsedAboveTotal) {
  const auto trace = parsed(csv({"0,0,300,200"}));
  ASSERT_EQ(trace.readings.size(), 1U);
  EXPECT_EQ(trace.readings[0].memory->used, 300U);
  EXPECT_EQ(trace.readings[0].memory->free, 0U);
  EXPECT_THAT(trace.warnings, ElementsAre("line 2: used is above total and is kept"));
}

TEST(ParseTraceCsv, RefusesTimeGoingBackOnOneGpuOnly) {
  EXPECT_THAT(refusal(csv({"0,0,1,2", "2,0,1,2", "1,0,1,2"})), HasSubstr("line 4: time goes back on GPU 0"));
  EXPECT_EQ(parsed(csv({"0,0,1,2", "2,0,1,2", "1,1,1,2"})).readings.back().gpu, 0);
}

TEST(ParseTraceCsv, LeavesOutALastLineThatACrashCutOff) {
  for (const auto rest : {"1"sv, "1.0"sv, "1.0,"sv, "1.0,0"sv, "1.0,0,123"sv, "1.0,0,123,25"sv, "1.0,0,\0\0\0"sv}) {
    const auto trace = parsed(csv({"0.0,0,100,2500"}).append(rest));
    EXPECT_EQ(trace.readings.size(), 1U) << rest;
    EXPECT_THAT(trace.warnings, ElementsAre(HasSubstr("line 3 is cut off"))) << rest;
  }
  EXPECT_EQ(parsed(csv({"0.0,0,100,2500"}) + "1.0,0,123,2500").readings.size(), 2U);
}

}  // namespace
}  // namespace dualgpuopt::memory
