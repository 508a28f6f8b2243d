#include "dualgpuopt/memory/core/units.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <limits>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(ParseBytes, ReadsEveryUnitInAnyCase) {
  EXPECT_EQ(parse_bytes("4096"), 4096_B);
  EXPECT_EQ(parse_bytes("512B"), 512_B);
  EXPECT_EQ(parse_bytes("3KiB"), 3_KiB);
  EXPECT_EQ(parse_bytes(" 512 mib "), 512_MiB);
  EXPECT_EQ(parse_bytes("8GiB"), 8_GiB);
  EXPECT_EQ(parse_bytes("1.5g"), 1536_MiB);
  EXPECT_EQ(parse_bytes("2TiB"), 2_TiB);
  EXPECT_EQ(parse_bytes("8GB"), 8'000'000'000_B);
  EXPECT_EQ(parse_bytes("0"), 0_B);
}

TEST(ParseBytes, SaysTheTextThePlaceAndWhatWasExpected) {
  const auto result = parse_bytes("8 GXB");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::ParseFailed);
  EXPECT_EQ(result.error().message(),
            "cannot read \"8 GXB\" as a size: unknown unit \"GXB\" at character 3; expected a number with B, KiB, MiB, "
            "GiB or TiB, as in 8GiB");
}

TEST(ParseBytes, RefusesWhatIsNoAmount) {
  for (const auto* text :
       {"", "  ", "GiB", "-1", "nan", "inf", "1e400", "9EiB", "0x10", "8GiB8", "9000000TiB", "+1", "1,5"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

TEST(ParseBytes, QuotesLongAndUnprintableTextBriefly) {
  const auto result = parse_bytes(std::string(1'000'000, 'x') + "\x1b[31m");
  ASSERT_FALSE(result);
  EXPECT_LT(result.error().message().size(), 200U);
  EXPECT_THAT(parse_bytes("\x1b[31m").error().message(), HasSubstr("\"?[31m\""));
}

TEST(ParsePercent, ReadsWithAndWithoutSign) {
  EXPECT_EQ(parse_percent("80%"), 80.0);
  EXPECT_EQ(parse_percent("82.5 %"), 82.5);
  EXPECT_EQ(parse_percent("0"), 0.0);
  EXPECT_EQ(parse_percent("100"), 100.0);
  EXPECT_THAT(parse_percent("101").error().message(), HasSubstr("more than 100"));
}

TEST(ParseDuration, ReadsEveryUnit) {
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("10us"), 10us);
  EXPECT_EQ(parse_duration("2min"), 2min);
  EXPECT_EQ(parse_duration("2m"), 2min);
  EXPECT_EQ(parse_duration("1h"), 1h);
  EXPECT_EQ(parse_duration("7d"), 168h);
  EXPECT_EQ(parse_duration("3"), 3s);
  EXPECT_THAT(parse_duration("soon").error().message(), HasSubstr("no number at character 1"));
  EXPECT_FALSE(parse_duration("1e9h"));
}

TEST(ParseByteUnit, ReadsTheNamesOfTheOption) {
  EXPECT_EQ(parse_byte_unit("MiB"), ByteUnit::MiB);
  EXPECT_EQ(parse_byte_unit("auto"), ByteUnit::Auto);
  EXPECT_FALSE(parse_byte_unit("MB"));
}

TEST(FormatBytes, PicksTheUnitThatReadsBest) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1_KiB), "1 KiB");
  EXPECT_EQ(format_bytes(512_MiB), "512 MiB");
  EXPECT_EQ(format_bytes(7577_MiB), "7.4 GiB");
  EXPECT_EQ(format_bytes(8_GiB, ByteUnit::MiB), "8192 MiB");
  EXPECT_EQ(format_signed_bytes(-512 * 1024 * 1024), "-512 MiB");
  EXPECT_EQ(format_signed_bytes(0), "0 B");
  EXPECT_EQ(format_signed_bytes(std::numeric_limits<SignedBytes>::min()), "-8589934592.0 GiB");
  EXPECT_EQ(format_rate(12.0 * 1024 * 1024), "+12 MiB/s");
}

TEST(FormatDuration, KeepsTwoUnits) {
  EXPECT_EQ(format_duration(250ms), "250 ms");
  EXPECT_EQ(format_duration(41s), "41 s");
  EXPECT_EQ(format_duration(5min + 2s), "5 min 02 s");
  EXPECT_EQ(format_duration(3h + 5min), "3 h 05 min");
  EXPECT_EQ(format_duration(291h), "12 d 3 h");
}

TEST(Difference, SaturatesInsteadOfWrapping) {
  constexpr auto most = std::numeric_limits<Bytes>::max();
  EXPECT_EQ(difference(5, 3), 2);
  EXPECT_EQ(difference(3, 5), -2);
  EXPECT_EQ(difference(most, 0), std::numeric_limits<SignedBytes>::max());
  EXPECT_EQ(difference(0, most), -std::numeric_limits<SignedBytes>::max());
}

RC_GTEST_PROP(ParseBytes, GivesBackWhatWasPrintedInBytes, ()) {
  const auto bytes = *rc::gen::inRange<Bytes>(0, 1ULL << 52);
  RC_ASSERT(parse_bytes(format_bytes(bytes, ByteUnit::B)) == bytes);
}

RC_GTEST_PROP(ParseUnits, NeverAnswersOutsideTheDocumentedRange, (const std::string& text)) {
  if (const auto percent = parse_percent(text)) RC_ASSERT(*percent >= 0 && *percent <= 100);
  if (const auto duration = parse_duration(text)) RC_ASSERT(*duration >= Duration::zero());
  if (const auto bytes = parse_bytes(text)) RC_ASSERT(*bytes < 1ULL << 63);
}

}  // namespace
}  // namespace dualgpuopt::memory
