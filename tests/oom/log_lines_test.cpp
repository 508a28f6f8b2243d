#include "oom/log_lines.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dualgpuopt::memory {
namespace {

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

RC_GTEST_PROP(LogLines, TakeAnyText, (const std::string& text)) {
  const auto line = normalized(text);
  RC_ASSERT(line.find_first_of(std::string_view("\0\r\n\t\x1b", 5)) == std::string::npos);
  RC_ASSERT(line.find("  ") == std::string::npos);
  RC_ASSERT(readable(text).size() <= 300U);
}

}  // namespace
}  // namespace dualgpuopt::memory
