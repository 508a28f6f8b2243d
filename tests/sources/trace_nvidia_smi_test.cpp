#include "sources/trace_nvidia_smi.h"

#include <gmock/gmock.h>

#include "sources/trace_texts.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kHeader = "timestamp, index, memory.used [MiB], memory.total [MiB]";
constexpr auto kStamp = std::chrono::sys_days(std::chrono::year(2024) / 5 / 6) + 15h + 45min + 56s;

/// Used MiB of every reading, in order.
std::vector<Bytes> used_mib(const Trace& trace) {
  std::vector<Bytes> used;
  for (const auto& reading : trace.readings) used.push_back(reading.memory.value_or(MemoryUse{}).used / 1_MiB);
  return used;
}

TEST(ParseTraceNvidiaSmi, ReadsTheFormOfTheManual) {
  const auto trace = parsed(
      lines({kHeader, "2024/05/06 15:45:56.123, 0, 1234 MiB, 24564 MiB", "2024/05/06 15:45:56.125, 1, 5 MiB, 24564 MiB",
             "2024/05/06 15:45:57.127, 0, 1300 MiB, 24564 MiB"}));
  ASSERT_EQ(trace.readings.size(), 3U);
  EXPECT_EQ(trace.readings[0].memory, MemoryUse::from_used_and_total(1234_MiB, 24564_MiB));
  EXPECT_EQ(trace.readings[0].provenance, Provenance::Replayed);
  EXPECT_EQ(trace.readings[0].time.wall, kStamp + 123ms) << "without zone: taken as UTC";
  EXPECT_THAT(trace.times(), ElementsAre(MonoTime(0s), MonoTime(2ms), MonoTime(1004ms)));
  ASSERT_EQ(trace.devices.size(), 2U);
  EXPECT_EQ(trace.devices[0].vendor, Vendor::Nvidia);
  EXPECT_EQ(trace.devices[0].key, "trace-0");
  EXPECT_THAT(trace.warnings, IsEmpty());
}

TEST(ParseTraceNvidiaSmi, ReadsRowsWithoutHeaderAndWithoutUnits) {
  EXPECT_THAT(used_mib(parsed("2024/05/06 15:45:56.123, 0, 12 MiB, 100 MiB\n")), ElementsAre(12));
  EXPECT_THAT(used_mib(parsed("2024/05/06 15:45:56.123, 0, 12, 100\n")), ElementsAre(12));
  EXPECT_THAT(used_mib(parsed("2024/05/06 15:45:56.123, 12 MiB, 100 MiB\n")), ElementsAre(12));
  EXPECT_THAT(
      used_mib(parsed(lines({"timestamp, index, memory.used, memory.total", "2024/05/06 15:45:56, 0, 12, 100"}))),
      ElementsAre(12));
  EXPECT_THAT(used_mib(parsed(lines({kHeader, "2024-05-06T15:45:56Z, 0, 12, 100"}))), ElementsAre(12));
}

TEST(ParseTraceNvidiaSmi, DoesNotMindWindowsLineEndsAMarkAndBlanks) {
  const auto trace =
      parsed("\xEF\xBB\xBF" + std::string(kHeader) + "\r\n2024/05/06 15:45:56.123, 0, 12 MiB, 100 MiB  \r\n\r\n");
  EXPECT_THAT(used_mib(trace), ElementsAre(12));
}

TEST(ParseTraceNvidiaSmi, KeepsTheOrderOfRowsWithOneStamp) {
  const auto trace = parsed(lines({kHeader, "2024/05/06 15:45:56, 0, 1 MiB, 9 MiB",
                                   "2024/05/06 15:45:56, 0, 2 MiB, 9 MiB", "2024/05/06 15:45:57, 0, 3 MiB, 9 MiB"}));
  EXPECT_THAT(used_mib(trace), ElementsAre(1, 2, 3));
  EXPECT_THAT(trace.times(), ElementsAre(MonoTime(0s), MonoTime(1s)));
  EXPECT_THAT(trace.warnings, IsEmpty());
}

TEST(ParseTraceNvidiaSmi, FollowsAHeaderInTheMiddle) {
  const auto trace =
      parsed(lines({kHeader, "2024/05/06 15:45:56, 0, 1 MiB, 9 MiB", kHeader, "2024/05/06 15:45:57, 0, 2 MiB, 9 MiB",
                    "timestamp, memory.total [MiB], memory.used [MiB]", "2024/05/06 15:45:58, 9 MiB, 3 MiB"}));
  EXPECT_THAT(used_mib(trace), ElementsAre(1, 2, 3));
}

TEST(ParseTraceNvidiaSmi, NamesDevicesFromTheirColumns) {
  const auto trace = parsed(lines({"timestamp, name, pci.bus_id, uuid, index, memory.used [MiB], utilization.gpu [%]",
                                   "2024/05/06 15:45:56, NVIDIA H200, 00000000:5D:00.0, GPU-1, 0, 1 MiB, [N/A]",
                                   "2024/05/06 15:45:57, NVIDIA H200, 00000000:5D:00.0, GPU-1, 0, 2 MiB, 3 %"}));
  ASSERT_EQ(trace.devices.size(), 1U);
  EXPECT_EQ(trace.devices[0].name, "NVIDIA H200");
  EXPECT_EQ(trace.devices[0].uuid, "GPU-1");
  EXPECT_EQ(trace.devices[0].pci_address, "00000000:5D:00.0");
  EXPECT_EQ(trace.devices[0].key, "GPU-1");
  EXPECT_FALSE(trace.readings[0].memory->total);
}

TEST(ParseTraceNvidiaSmi, TellsGpusWithoutIndexApartByTheirAddress) {
  const auto trace =
      parsed(lines({"timestamp, pci.bus_id, memory.used [MiB]", "2024/05/06 15:45:56, 00000000:9B:00.0, 1 MiB",
                    "2024/05/06 15:45:56, 00000000:5D:00.0, 2 MiB", "2024/05/06 15:45:57, 00000000:9B:00.0, 3 MiB"}));
  ASSERT_EQ(trace.readings.size(), 3U);
  EXPECT_EQ(trace.readings[1].gpu, 1);
  EXPECT_EQ(trace.readings[2].gpu, 0);
  EXPECT_EQ(trace.devices[1].key, "00000000:5D:00.0");
}

TEST(ParseTraceNvidiaSmi, SaysWhenRowsOfUnknownGpusShareATime) {
  const auto trace = parsed(
      lines({"timestamp, memory.used [MiB]", "2024/05/06 15:45:56.001, 1 MiB", "2024/05/06 15:45:56.001, 2 MiB"}));
  EXPECT_THAT(trace.warnings, ElementsAre(HasSubstr("no index")));
}

TEST(ParseTraceNvidiaSmi, MakesRefusalsUnavailableReadings) {
  for (const auto* answer : {"[N/A]", "[Not Supported]", "[Unknown Error]", "[GPU is lost]"}) {
    const auto trace = parsed(lines({kHeader, std::string("2024/05/06 15:45:56, 0, ") + answer + ", " + answer}));
    ASSERT_EQ(trace.readings.size(), 1U);
    EXPECT_FALSE(trace.readings[0].ok());
    EXPECT_EQ(trace.readings[0].reason, std::string("nvidia-smi answered ") + answer);
    EXPECT_TRUE(trace.readings[0].time.wall);
  }
}

TEST(ParseTraceNvidiaSmi, DoesNotKnowATotalThatIsNotAvailable) {
  const auto trace = parsed(lines({kHeader, "2024/05/06 15:45:56, 0, 7 MiB, [N/A]"}));
  ASSERT_EQ(trace.readings.size(), 1U);
  EXPECT_EQ(trace.readings[0].memory, MemoryUse::from_used_and_total(7_MiB, std::nullopt));
}

TEST(ParseTraceNvidiaSmi, LeavesOutRowsOfAGpuWithoutIndex) {
  const auto trace = parsed(lines({kHeader, "2024/05/06 15:45:56, 0, 7 MiB, 9 MiB",
                                   "2024/05/06 15:45:57, [GPU is lost], [GPU is lost], [GPU is lost]"}));
  EXPECT_EQ(trace.readings.size(), 1U);
  EXPECT_THAT(trace.warnings, ElementsAre(HasSubstr("line 3: a row does not say which GPU")));
  EXPECT_THAT(refusal("timestamp, uuid, memory.used\n2024/05/06 15:45:56, [N/A], 7 MiB\n"), HasSubstr("no readings"));
}

TEST(ParseTraceNvidiaSmi, PassesOverMessagesBetweenTheRows) {
  const auto trace = parsed(lines({"Failed to initialize NVML: Driver/library version mismatch", kHeader,
                                   "2024/05/06 15:45:56, 0, 7 MiB, 9 MiB",
                                   "Unable to determine the device handle for GPU1: 0000:44:00.0: Unknown Error"}));
  EXPECT_EQ(trace.readings.size(), 1U);
  EXPECT_THAT(trace.warnings, ElementsAre(HasSubstr("line 1 and 1 more: a message of nvidia-smi")));
}

TEST(ParseTraceNvidiaSmi, UsesFreeAndReservedWhereTheyAreThere) {
  const auto trace =
      parsed(lines({"timestamp, index, memory.used [MiB], memory.total [MiB], memory.free [MiB], memory.reserved [MiB]",
                    "2024/05/06 15:45:56, 0, 100 MiB, 1000 MiB, 850 MiB, 40 MiB"}));
  ASSERT_EQ(trace.readings.size(), 1U);
  const auto& memory = *trace.readings[0].memory;
  EXPECT_EQ(memory.free, 850_MiB) << "as written, not computed";
  EXPECT_EQ(memory.reserved, 40_MiB);
  EXPECT_EQ(memory.used_meaning, UsedMeaning::WithoutReserved);
  EXPECT_EQ(memory.occupied(), 150_MiB);
}

TEST(ParseTraceNvidiaSmi, TakesReservedFromTheRestWhereFreeIsMissing) {
  const auto trace = parsed(lines({"timestamp, index, memory.used [MiB], memory.total [MiB], memory.reserved [MiB]",
                                   "2024/05/06 15:45:56, 0, 100 MiB, 1000 MiB, 40 MiB",
                                   "2024/05/06 15:45:57, 0, 990 MiB, 1000 MiB, 40 MiB"}));
  ASSERT_EQ(trace.readings.size(), 2U);
  EXPECT_EQ(trace.readings[0].memory->free, 860_MiB);
  EXPECT_EQ(trace.readings[1].memory->free, 0_MiB);
}

TEST(ParseTraceNvidiaSmi, RefusesMalformedRowsWithLineAndExpectation) {
  const auto in_row = [](std::string_view row) { return refusal(lines({kHeader, row})); };
  EXPECT_EQ(
      in_row("2024/05/06 15:45:56, 0, lots, 9 MiB"),
      "line 2: cannot read \"lots\" as memory.used: expected a whole number with MiB, or an answer such as [N/A]");
  EXPECT_EQ(in_row("2024/05/06 15:45:56, 0, 7 MiB"),
            "line 2: cannot read \"2024/05/06 15:45:56, 0, 7 MiB\" as a row: expected 4 fields, not 3");
  EXPECT_THAT(in_row("yesterday, 0, 7 MiB, 9 MiB"), HasSubstr("\"yesterday\" as a timestamp"));
  EXPECT_THAT(in_row("2024/05/06 15:45:56, 5000, 7 MiB, 9 MiB"), HasSubstr("a GPU index from 0 to 1023"));
  EXPECT_THAT(in_row("2024/05/06 15:45:56, 0, 7 MiB, nan"), HasSubstr("\"nan\" as memory.total"));
  EXPECT_THAT(in_row("2024/05/06 15:45:56, 0, -7 MiB, 9 MiB"), HasSubstr("as memory.used"));
  EXPECT_THAT(in_row("2024/05/06 15:45:56, 0, 9223372036854775808, 9 MiB"), HasSubstr("as memory.used"));
  EXPECT_THAT(in_row("2024/05/06 15:45:56, 0, 7 MiB, 0 MiB"), HasSubstr("total of GPU 0 is 0"));
}

TEST(ParseTraceNvidiaSmi, RefusesHeadersAndRowsThatLeaveItOpen) {
  EXPECT_THAT(refusal("memory.used [MiB], memory.total [MiB]\n0 MiB, 4096 MiB\n"), HasSubstr("a timestamp column"));
  EXPECT_THAT(refusal("2024/05/06 15:45:56, 0, 7\n"), HasSubstr("a header that names the columns"));
  EXPECT_THAT(refusal(lines({kHeader})), HasSubstr("no readings"));
}

TEST(ParseTraceNvidiaSmi, RefusesTimeGoingBackAndShowsTheStamps) {
  EXPECT_EQ(refusal(lines({kHeader, "2024/10/27 02:59:59, 0, 7 MiB, 9 MiB", "2024/10/27 02:00:00, 0, 7 MiB, 9 MiB"})),
            "line 3: time goes back on GPU 0, from 2024-10-27T02:59:59.000Z to 2024-10-27T02:00:00.000Z: expected rows "
            "in the order of time");
}

TEST(ParseTraceNvidiaSmi, LeavesOutALastLineThatACrashCutOff) {
  const auto trace = parsed(lines({kHeader, "2024/05/06 15:45:56, 0, 7 MiB, 9 MiB"}) + "2024/05/06 15:45:57, 0, 7 M");
  EXPECT_EQ(trace.readings.size(), 1U);
  EXPECT_THAT(trace.warnings, ElementsAre(HasSubstr("line 3 is cut off")));
}

TEST(ParseTraceNvidiaSmi, HoldsAtMost1024DifferentGpus) {
  std::string text = "timestamp, uuid, memory.used [MiB]\n";
  for (int gpu = 0; gpu < 1025; ++gpu) text += "2024/05/06 15:45:56, GPU-" + std::to_string(gpu) + ", 1 MiB\n";
  EXPECT_THAT(refusal(text), HasSubstr("line 1026"));
}

TEST(IsNvidiaSmiLine, KnowsHeadersRowsAndMessages) {
  EXPECT_TRUE(is_nvidia_smi_line("index, memory.used [MiB]"));
  EXPECT_TRUE(is_nvidia_smi_line("2024/05/06 15:45:56.123, 0, 12, 100"));
  EXPECT_TRUE(is_nvidia_smi_line("No devices were found"));
  EXPECT_FALSE(is_nvidia_smi_line("t_s,gpu,used_bytes,total_bytes"));
  EXPECT_FALSE(is_nvidia_smi_line("{\"type\":\"reading\"}"));
}

}  // namespace
}  // namespace dualgpuopt::memory
