#include "oom/text_amounts.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(TextAmounts, FollowWords) {
  EXPECT_EQ(amount_after("Tried to allocate 26.00 MiB (GPU 0", "allocate "), 26_MiB);
  EXPECT_EQ(amount_after("request for 2.5GiB (", "request for "), 2_GiB + 512_MiB);
  EXPECT_EQ(amount_after("allocating 8,589,934,592 bytes", "allocating "), 8_GiB);
  EXPECT_EQ(amount_after("of size 144", "of size "), 144U) << "bytes, where there is no unit";
  EXPECT_EQ(amount_after("memory (4.0 GiB) than", "memory ("), 4_GiB);
  EXPECT_EQ(amount_after("is 12.", "is "), 12U) << "the full stop is the sentence's";
}

TEST(TextAmounts, StandBeforeWords) {
  EXPECT_EQ(amount_before("8.77 GiB already allocated", " already allocated"), 8_GiB + 826781204U);
  EXPECT_EQ(amount_before("which 0 bytes is free", " is free"), 0U);
  EXPECT_EQ(amount_before("(140729850295296 bytes) from device", ") from device"), 140729850295296U);
  EXPECT_FALSE(amount_before("some is free", " is free"));
  EXPECT_FALSE(amount_before("12 is free", " is free")) << "without a unit it may be anything";
}

TEST(TextAmounts, AreNotMadeUp) {
  for (const auto* text : {"", "allocate", "allocate ", "allocate -3 MiB", "allocate x", "allocate 1.2.3 GiB",
                           "allocate 1e99", "allocate 99999999999999999999 GiB", "allocate ,", "allocate ."}) {
    const auto amount = amount_after(text, "allocate ");
    EXPECT_TRUE(!amount || *amount == 1) << text;
  }
  EXPECT_FALSE(amount_after("allocate 5 MiB", "request "));
}

TEST(TextAmounts, AreNumbersToo) {
  EXPECT_EQ(number_after("memory: -0.53 GiB", "memory: "), -0.53);
  EXPECT_EQ(whole_after("KV cache (86432).", "cache ("), 86432U);
  EXPECT_FALSE(whole_after("cache (1.5)", "cache ("));
  EXPECT_FALSE(whole_after("cache (-1)", "cache ("));
  EXPECT_EQ(rest_after("a: b", ": "), "b");
  EXPECT_EQ(rest_after("a", ": "), "");
}

}  // namespace
}  // namespace dualgpuopt::memory
