#include "oom/log_lines.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dualgpuopt::memory {
namespace {

std::string joined(std::string text, std::string_view rest) {
  append_wrapped(text, rest);
  return text;
}

TEST(Normalized, LeavesWordsAndSingleBlanks) {
  EXPECT_EQ(normalized("\x1b[31;1mCUDA\x1b[0m  out\tof\x01memory \r"), "cuda out of memory");
  EXPECT_EQ(normalized("\x1b]0;title\aGPU"), "gpu");
  EXPECT_EQ(normalized("\x1b["), "");
  EXPECT_EQ(normalized("   "), "");
}

TEST(Normalized, KnowsUtf16BoxesAndJson) {
  EXPECT_EQ(normalized(std::string_view("O\0O\0M\0", 6)), "oom");
  EXPECT_EQ(normalized("\xE2\x94\x82 Out\xC2\xA0of memory \xE2\x94\x82"), "out of memory");
  EXPECT_EQ(normalized(R"(memory.\nGPU 0\t has)"), "memory. gpu 0 has");
}

TEST(Readable, IsOneLineOfUtf8) {
  EXPECT_EQ(readable("\x1b[31mé\xff\xe2\x82 日\tx"), "é??? 日 x");
  EXPECT_EQ(readable("\xed\xa0\x80\xc2\x9b\xf4\x90\x80\x80"), "?????????");
  EXPECT_EQ(readable(std::string(1000, 'x')).size(), 300U);
  EXPECT_EQ(readable(std::string(299, 'x') + "日").size(), 299U) << "no half characters";
}

TEST(WithoutPrefix, TakesOffWhatLoggersPutBeforeALine) {
  for (const auto* prefix : {
           "[rank0]: ",
           "[1,0]<stderr>:",
           "(enginecore_dp0 pid=123) error 11-24 12:00:00 [core.py:123] ",
           "(vllmworker rank=1 pid=77) ",
           "error 11-24 12:00:00 [engine.py:448] ",
           "container_1 | ",
           "nov 24 12:00:00 host-1 server[4711]: ",
           "2026-11-24t12:00:00+0000 host-1 kernel: ",
           "2026-11-24t12:00:00.123456789z stderr f ",
           "2026-11-24 12:00:00,123 - vllm.engine - error - ",
           "2026-11-24 12:00:00.123 | error | worker:run:12 - ",
           "2026-11-24 12:00:00.123456: e tensorflow/core/framework/op_kernel.cc:1745] ",
           "e1124 12:00:00.123456 4711 bfc_allocator.cc:245] ",
           "[2026-11-24 12:00:00] [error] ",
           "[pod/server-0/main] ",
           "> > ",
       }) {
    EXPECT_EQ(without_prefix(std::string(prefix) + "mib is free"), "mib is free") << prefix;
  }
}

TEST(WithoutPrefix, LeavesWhatIsOfTheMessage) {
  for (const auto* line : {"59.32/79.15 gib) on startup", "[500,17,17,4032] and type float", "-0.53 gib", ": -0.53 gib",
                           "error loading model", "(gpu 0; 1.00 gib total capacity)", "12 mib is free", "", "[", "(",
                           "e", "maximum model length"}) {
    EXPECT_EQ(without_prefix(line), line);
  }
}

TEST(AppendWrapped, KnowsCutWords) {
  EXPECT_EQ(joined("tried to alloc", "ate 2"), "tried to allocate 2");
  EXPECT_EQ(joined("tried to", "allocate 2"), "tried to allocate 2");
  EXPECT_EQ(joined("gpu 0 ha", "s a total"), "gpu 0 has a total");
  EXPECT_EQ(joined("cuda_error_out_", "of_memory"), "cuda_error_out_of_memory");
  EXPECT_EQ(joined("out", "of memory"), "out of memory");
  EXPECT_EQ(joined("", "out"), "out");
}

TEST(AppendWrapped, KnowsCutNumbers) {
  EXPECT_EQ(joined("allocate 14.7", "6 gib"), "allocate 14.76 gib");
  EXPECT_EQ(joined("allocate 14", ".76 gib"), "allocate 14.76 gib");
  EXPECT_EQ(joined("allocate 14.", "76 gib"), "allocate 14.76 gib");
  EXPECT_EQ(joined("allocating 8,", "589,934,592 bytes"), "allocating 8,589,934,592 bytes");
  EXPECT_EQ(joined("allocating 8", ",589,934,592 bytes"), "allocating 8,589,934,592 bytes");
  EXPECT_EQ(joined("utilization (0.9,", "125.75 gib)"), "utilization (0.9, 125.75 gib)");
  EXPECT_EQ(joined("of size 1034", "5253120"), "of size 10345253120");
  EXPECT_EQ(joined("memory: -", "0.53 gib"), "memory: -0.53 gib");
}

TEST(AppendWrapped, LeavesNumbersOfOtherLinesAlone) {
  EXPECT_EQ(joined("of size 10345253120", "100%|###"), "of size 10345253120 100%|###");
  EXPECT_EQ(joined("of size 10345253120", "12:00:01 done"), "of size 10345253120 12:00:01 done");
  EXPECT_EQ(joined("of size 10345253120", "3 of 7"), "of size 10345253120 3 of 7");
}

TEST(MayGoOn, WantsALongLineWithoutAnEnd) {
  EXPECT_TRUE(may_go_on("valueerror: free memory on", 80, "device"));
  EXPECT_FALSE(may_go_on("valueerror: free memory on", 10, "device"));
  EXPECT_FALSE(may_go_on("the epoch is over.", 80, "device"));
  EXPECT_TRUE(may_go_on("allocate 14.", 80, "76 gib"));
  EXPECT_FALSE(may_go_on("free memory on", 80, ""));
  EXPECT_FALSE(may_go_on("", 80, "device"));
}

RC_GTEST_PROP(LogLines, TakeAnyText, (const std::string& text)) {
  const auto line = normalized(text);
  RC_ASSERT(line.ends_with(without_prefix(line)));
  RC_ASSERT(readable(text).size() <= 300U);
  RC_ASSERT(joined(line, line).size() <= 2 * line.size() + 1);
}

}  // namespace
}  // namespace dualgpuopt::memory
