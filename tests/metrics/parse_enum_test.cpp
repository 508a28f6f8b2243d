#include "metrics/parse_enum.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

enum class Colour { Red, DarkGreen, Blue };
std::string_view to_string(Colour colour) {
  return colour == Colour::Red ? "red" : colour == Colour::DarkGreen ? "dark_green" : "blue";
}
Result<Colour> parse_colour(std::string_view text) {
  return parse_enum(text, "a colour", std::array{Colour::Red, Colour::DarkGreen, Colour::Blue});
}

TEST(ParseEnum, ReadsNamesInAnyLetterCase) {
  EXPECT_EQ(parse_colour("red"), Colour::Red);
  EXPECT_EQ(parse_colour("DARK_GREEN"), Colour::DarkGreen);
  EXPECT_EQ(parse_colour("Blue"), Colour::Blue);
}

TEST(ParseEnum, ListsTheNamesWhenThereIsNoSuchOne) {
  const auto result = parse_colour("pink");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::ParseFailed);
  EXPECT_EQ(result.error().message(), "cannot read \"pink\" as a colour; expected red, dark_green or blue");
}

TEST(ParseEnum, TakesNothingButTheWholeName) {
  for (const auto* text : {"", "re", "redd", " red", "red ", "dark-green", "0"})
    EXPECT_FALSE(parse_colour(text)) << text;
  EXPECT_FALSE(parse_colour(std::string_view("red\0", 4)));
}

TEST(ParseEnum, QuotesLongAndUnprintableTextBriefly) {
  EXPECT_EQ(parse_colour("\x1b[31m").error().message(),
            "cannot read \"?[31m\" as a colour; expected red, dark_green or blue");
  EXPECT_EQ(parse_colour(std::string(1'000'000, 'x')).error().message(),
            "cannot read \"" + std::string(40, 'x') + "...\" as a colour; expected red, dark_green or blue");
}

TEST(EqualInAnyCase, KnowsOnlyTheLettersOfAscii) {
  EXPECT_TRUE(equal_in_any_case("aZ_9", "Az_9"));
  EXPECT_FALSE(equal_in_any_case("[", "{"));
  EXPECT_FALSE(equal_in_any_case("\xc4", "\xe4"));
}

}  // namespace
}  // namespace dualgpuopt::memory
