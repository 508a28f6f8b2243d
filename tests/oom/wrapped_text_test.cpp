#include "oom/wrapped_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dualgpuopt::memory {
namespace {

std::string joined(std::string text, std::string_view rest) {
  append_wrapped(text, rest);
  return text;
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

RC_GTEST_PROP(AppendWrapped, TakesAnyText, (const std::string& text, const std::string& rest)) {
  const auto all = joined(text, rest);
  RC_ASSERT(all.starts_with(text));
  RC_ASSERT(all.ends_with(rest));
}

}  // namespace
}  // namespace dualgpuopt::memory
