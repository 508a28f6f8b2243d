#include "oom/text_scan.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dualgpuopt::memory {
namespace {

std::optional<Bytes> bytes_at(std::string_view text) {
  const auto amount = amount_at(text, 0);
  return amount ? amount->bytes : std::nullopt;
}

TEST(AmountAt, ReadsEveryUnitAsAPowerOf1024) {
  EXPECT_EQ(bytes_at("2.00 gib"), 2_GiB);
  EXPECT_EQ(bytes_at("2gb"), 2_GiB);
  EXPECT_EQ(bytes_at("1.50 mib."), 1_MiB + 512_KiB);
  EXPECT_EQ(bytes_at("17k"), 17_KiB);
  EXPECT_EQ(bytes_at("1tib"), 1_TiB);
  EXPECT_EQ(bytes_at(" 0 bytes is free"), 0);
}

TEST(AmountAt, TakesABareWholeNumberAsBytes) {
  EXPECT_EQ(bytes_at("151851674624"), 151851674624);
  EXPECT_EQ(bytes_at("3206250496b)"), 3206250496);
  EXPECT_EQ(bytes_at("8,000,000,000 bytes"), 8000000000);
  EXPECT_EQ(bytes_at("12, 34"), 12);
  EXPECT_FALSE(amount_at("0.9, 71 gib", 0));
}

TEST(AmountAt, KeepsEveryDigitOfLargeNumbers) { EXPECT_EQ(bytes_at("4585490524328388608"), 4585490524328388608); }

TEST(AmountAt, HasNoBytesForWhatIsNoSize) {
  for (const auto* text : {"-5 mib", "9223372036854775808", "17179869184.00 gib",
                           "99999999999999999999999999999999999999999999999999999999999999999999999999 gib"}) {
    const auto amount = amount_at(text, 0);
    ASSERT_TRUE(amount) << text;
    EXPECT_FALSE(amount->bytes) << text;
  }
  EXPECT_FALSE(amount_at("gib", 0));
  EXPECT_FALSE(amount_at("", 0));
  EXPECT_FALSE(amount_at(".", 0));
}

TEST(AmountAfter, GoesOnToAnOccurrenceWithAnAmount) {
  EXPECT_EQ(amount_after("allocating a buffer; allocating 12 mib", "allocating ")->bytes, 12_MiB);
  EXPECT_FALSE(amount_after("allocating", "allocating"));
}

TEST(ExactAmountAfter, PrefersTheBytesInBrackets) {
  EXPECT_EQ(exact_amount_after("for 2.99gib (3206250496b) on", "for ")->bytes, 3206250496);
  EXPECT_EQ(exact_amount_after("for 2gib (that is much)", "for ")->bytes, 2_GiB);
}

TEST(AmountBefore, ReadsBackwards) {
  EXPECT_EQ(amount_before("mib; 24.17 mib free; 1 gib", "free;")->bytes, 25344082);
  EXPECT_EQ(amount_before("0 bytes free; ", "free;")->bytes, 0);
  EXPECT_FALSE(amount_before("memory is free", "is free"));
  EXPECT_FALSE(amount_before("free", "free"));
  EXPECT_FALSE(amount_before("-3 gib free", "free")->bytes);
}

TEST(NumberAfter, WantsAWholeNumber) {
  EXPECT_EQ(number_after("len (131072)", "len ("), 131072);
  EXPECT_FALSE(number_after("len (1.5)", "len ("));
  EXPECT_FALSE(number_after("len (99999999999999999999)", "len ("));
}

TEST(DeviceAfter, KnowsNoDeviceOf1024OrMore) {
  EXPECT_EQ(device_after("gpu 7 has", "gpu "), 7);
  EXPECT_FALSE(device_after("gpu 1024", "gpu "));
  EXPECT_FALSE(device_after("gpu memory", "gpu "));
}

TEST(DecimalAfter, MayBeNegative) {
  EXPECT_EQ(decimal_after("(0.9, ", "("), 0.9);
  EXPECT_EQ(decimal_after("memory: -0.53 gib", "memory:"), -0.53);
  EXPECT_FALSE(decimal_after("memory: none", "memory:"));
}

TEST(AmountAt, ReadsPowersOfTen) {
  EXPECT_EQ(bytes_at("4.5e18"), 4500000000000000000);
  EXPECT_EQ(bytes_at("1e+3 bytes"), 1000);
  EXPECT_FALSE(amount_at("1e99", 0)->bytes);
  EXPECT_FALSE(amount_at("1.5 e3", 0)) << "that is another word";
}

TEST(AmountAt, GroupsThousandsOfWholeNumbersOnly) {
  EXPECT_EQ(bytes_at("1,024"), 1024);
  EXPECT_FALSE(amount_at("0.9,125 gib", 0)) << "a share, and then an amount";
}

RC_GTEST_PROP(TextScan, TakesAnyText, (const std::string& text)) {
  (void)amount_before(text, "a");
  (void)exact_amount_after(text, "1");
  (void)decimal_after(text, "1");
  RC_ASSERT(!device_after(text, "1") || *device_after(text, "1") < 1024);
}

}  // namespace
}  // namespace dualgpuopt::memory
