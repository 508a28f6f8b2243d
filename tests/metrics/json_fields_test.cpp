#include "metrics/json_fields.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(StartRecord, BeginsWithTheFieldsThatAllRecordsHave) {
  EXPECT_EQ(dump(start_record("alert", {MonoTime(1234567us), WallTime(1'700'000'000'250ms)})),
            R"({"schema":1,"type":"alert","t":1.235,"time":"2023-11-14T22:13:20.250Z"})");
}

TEST(StartRecord, HasNoWallTimeWhereNoWallClockRan) {
  EXPECT_EQ(dump(start_record("alert", {})), R"({"schema":1,"type":"alert","t":0.0,"time":null})");
}

TEST(OrNull, ShowsWhatIsThereAndNullForTheRest) {
  EXPECT_EQ(dump(or_null(std::optional<Bytes>(0))), "0");
  EXPECT_EQ(dump(or_null(std::optional<Bytes>())), "null");
  EXPECT_EQ(dump(or_null(std::optional(std::string()))), R"("")");
  EXPECT_EQ(dump(or_null(std::string("lost"))), R"("lost")");
  EXPECT_EQ(dump(or_null(std::string())), "null");
}

TEST(RoundedSeconds, KeepsMilliseconds) {
  EXPECT_EQ(rounded_seconds(0.1 + 0.2), 0.3);
  EXPECT_EQ(rounded_seconds(12.3455), 12.346);
  EXPECT_EQ(rounded_seconds(-1.9999), -2.0);
  EXPECT_FALSE(std::signbit(rounded_seconds(-0.0001)));
}

TEST(Rounded, LeavesHugeValuesAsTheyAre) {
  EXPECT_EQ(rounded(1e308, 3), 1e308);
  EXPECT_EQ(rounded(-1e18, 6), -1e18);
}

TEST(SecondsOrNull, NeverWritesWhatIsNoNumber) {
  EXPECT_EQ(dump(seconds_or_null(Seconds(41.23449))), "41.234");
  EXPECT_EQ(dump(seconds_or_null(std::nullopt)), "null");
  EXPECT_EQ(dump(seconds_or_null(Seconds(kInfinity))), "null");
  EXPECT_EQ(dump(rounded_seconds(kInfinity)), "null");
  EXPECT_EQ(dump(rounded_or_null(std::nan(""), 2)), "null");
}

TEST(WholeBytesOrNull, RoundsAndSaturates) {
  EXPECT_EQ(dump(whole_bytes_or_null(1048576.5)), "1048577");
  EXPECT_EQ(dump(whole_bytes_or_null(-2.4)), "-2");
  EXPECT_EQ(dump(whole_bytes_or_null(-0.2)), "0");
  EXPECT_EQ(dump(whole_bytes_or_null(1e30)), "9223372036854775807");
  EXPECT_EQ(dump(whole_bytes_or_null(-1e30)), "-9223372036854775808");
  EXPECT_EQ(dump(whole_bytes_or_null(-kInfinity)), "null");
  EXPECT_EQ(dump(whole_bytes_or_null(std::nan(""))), "null");
}

TEST(ForecastRecord, HasNoUseWhenTheReadingBehindItIsGone) {
  EXPECT_TRUE(forecast_record({}, 0, std::nullopt, Provenance::Driver)["used_bytes"].is_null());
}

TEST(Dump, ReplacesTextThatIsNotUtf8) {
  EXPECT_EQ(dump(JsonRecord("a\xff"
                            "b")),
            "\"a\xef\xbf\xbd"
            "b\"");
}

RC_GTEST_PROP(Dump, GivesOneLineOfJsonForAnyText, (const std::string& text)) {
  const auto line = dump(JsonRecord(text));
  RC_ASSERT(line.find('\n') == std::string::npos);
  RC_ASSERT(JsonRecord::accept(line));
}

RC_GTEST_PROP(Rounded, IsWithinHalfAStepOfTheValue, ()) {
  const double value = *rc::gen::inRange(-1'000'000'000, 1'000'000'000) / 1e5;
  const int decimals = *rc::gen::inRange(0, 7);
  const double step = std::pow(10.0, -decimals);
  RC_ASSERT(std::abs(rounded(value, decimals) - value) <= step / 2 * 1.000001 + 1e-9);
  RC_ASSERT(rounded(rounded(value, decimals), decimals) == rounded(value, decimals));
}

}  // namespace
}  // namespace dualgpuopt::memory
