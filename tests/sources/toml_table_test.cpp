#include "sources/toml_table.h"

#include <gmock/gmock.h>

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A document, its root table and the first error of reading it.
struct Document {
  explicit Document(std::string_view text) : document(parse_toml(text).value()) {}

  std::string message() const { return error ? error->describe() : ""; }

  toml::table document;
  TomlTable::FirstError error;
  TomlTable root{document, "the document", error};
};

TEST(ParseToml, SaysWhereATextIsNoToml) {
  const auto document = parse_toml("a = 1\nb = = 2\n");
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().code(), ErrorCode::ParseFailed);
  EXPECT_THAT(document.error().describe(), StartsWith("line 2, column 5: "));
}

TEST(ParseToml, RefusesHeadersWithoutAKey) {
  for (const auto* text : {"[", "[[", "[[[", "[=", "[[ =", "[.", "[a.", "[a.=", "[[a.[", "[]", "[[]]", "[\n", "[[\n"}) {
    EXPECT_FALSE(parse_toml(text)) << text;
  }
}

TEST(ParseToml, ReadsTextInAnyScript) {
  const Document read("# caf\u00e9 \u0416 \ufb01\nname = 'caf\u00e9 \u0416 \u4e16 \ufc66 \U0001f600'\n");
  EXPECT_EQ(read.root.text("name"), "caf\u00e9 \u0416 \u4e16 \ufc66 \U0001f600");
  EXPECT_FALSE(parse_toml("\u00e9 = 1"));
  EXPECT_FALSE(parse_toml("a \u00e9 = 1"));
  EXPECT_FALSE(parse_toml("a = \ufc66"));
}

TEST(TomlTable, ReadsWhatIsThere) {
  const Document read(R"(
name = "x"
count = 3
size = "8GiB"
plain_size = 4096
change = "-2GiB"
plain_change = -4096
wait = "1.5s"
plain_wait = 2
fraction_wait = 0.25
)");
  EXPECT_EQ(read.root.text("name"), "x");
  EXPECT_EQ(read.root.whole_number("count", 1, 3), 3);
  EXPECT_EQ(read.root.bytes("size"), 8_GiB);
  EXPECT_EQ(read.root.bytes("plain_size"), 4_KiB);
  EXPECT_EQ(read.root.signed_bytes("size"), static_cast<SignedBytes>(8_GiB));
  EXPECT_EQ(read.root.signed_bytes("change"), -static_cast<SignedBytes>(2_GiB));
  EXPECT_EQ(read.root.signed_bytes("plain_change"), -4096);
  EXPECT_EQ(read.root.duration("wait"), 1500ms);
  EXPECT_EQ(read.root.duration("plain_wait"), 2s);
  EXPECT_EQ(read.root.duration("fraction_wait"), 250ms);
  EXPECT_EQ(read.message(), "");
}

TEST(TomlTable, ReadsNumbersAndBytesExactly) {
  const Document read("size = 9223372036854775807\nrate = 1.25\nwhole = -3");
  EXPECT_EQ(read.root.bytes("size"), 9223372036854775807U);
  EXPECT_EQ(read.root.number("rate"), 1.25);
  EXPECT_EQ(read.root.number("whole"), -3);
  EXPECT_EQ(read.root.number("none"), std::nullopt);
  EXPECT_EQ(read.message(), "");
  for (const auto* text : {"v = nan", "v = -inf", "v = '1'", "v = true"}) {
    const Document odd(text);
    EXPECT_FALSE(odd.root.number("v")) << text;
    EXPECT_THAT(odd.message(), EndsWith("expected a finite number")) << text;
  }
  const Document negative("size = -1");
  EXPECT_FALSE(negative.root.bytes("size"));
  EXPECT_THAT(negative.message(), HasSubstr("the number is negative"));
}

TEST(TomlTable, GivesNothingForWhatIsNotThere) {
  const Document read("");
  EXPECT_FALSE(read.root.text("name") || read.root.whole_number("count", 0, 9) || read.root.bytes("size") ||
               read.root.signed_bytes("change") || read.root.duration("wait"));
  EXPECT_TRUE(read.root.tables("list", "[[list]]").empty());
  EXPECT_EQ(read.message(), "");
}

TEST(TomlTable, NamesThePlaceTheKeyTheTextAndWhatWasExpected) {
  const Document read("\n  size = \"8 GXB\"\n");
  EXPECT_FALSE(read.root.bytes("size"));
  EXPECT_THAT(read.message(), AllOf(StartsWith("line 2, column 10: size: "), HasSubstr("\"8 GXB\""),
                                    HasSubstr("unknown unit"), HasSubstr("as in 8GiB")));
}

TEST(TomlTable, RefusesOtherTypes) {
  const Document number("v = 7");
  EXPECT_FALSE(number.root.text("v"));
  EXPECT_EQ(number.message(), "line 1, column 5: v: found the number 7, expected a text that is not empty");

  const Document empty("v = ''");
  EXPECT_FALSE(empty.root.text("v"));
  EXPECT_THAT(empty.message(), HasSubstr("found the text \"\", expected"));

  const Document list("v = [1]");
  EXPECT_FALSE(list.root.bytes("v"));
  EXPECT_THAT(list.message(), HasSubstr("v: found a list, expected a size"));

  const Document truth("v = true");
  EXPECT_FALSE(truth.root.duration("v"));
  EXPECT_THAT(truth.message(), HasSubstr("v: found true, expected a duration"));

  const Document date("v = 2020-01-01");
  EXPECT_FALSE(date.root.signed_bytes("v"));
  EXPECT_THAT(date.message(), HasSubstr("v: found a date or time, expected a size"));
}

TEST(TomlTable, RefusesWhatIsOutOfRange) {
  const Document read("count = 4");
  EXPECT_FALSE(read.root.whole_number("count", 1, 3));
  EXPECT_THAT(read.message(), EndsWith("count: found the number 4, expected a whole number from 1 to 3"));
  for (const auto* text : {"v = -1", "v = nan", "v = inf", "v = 1e300", "v = ''", "v = '--1s'"}) {
    const Document odd(text);
    EXPECT_FALSE(odd.root.duration("v")) << text;
    EXPECT_THAT(odd.message(), StartsWith("line 1, column 5: v: ")) << text;
  }
  for (const auto* text : {"v = '--1'", "v = '-'", "v = '9EiB'", "v = -9223372036854775808"}) {
    const Document odd(text);
    EXPECT_FALSE(odd.root.signed_bytes("v")) << text;
    EXPECT_THAT(odd.message(), StartsWith("line 1, column 5: v: ")) << text;
  }
}

TEST(TomlTable, RefusesUnknownKeysAndMissingOnes) {
  const Document unknown("name = 'x'\n  colour = 'red'");
  unknown.root.allow_only({"name", "size"});
  EXPECT_EQ(unknown.message(), "line 2, column 3: unknown key \"colour\" in the document: expected one of name, size");

  const Document missing("name = 'x'");
  missing.root.require("name", "a name");
  EXPECT_EQ(missing.message(), "");
  missing.root.require("size", "a size");
  EXPECT_THAT(missing.message(), EndsWith("the key \"size\" is missing in the document: expected a size"));
}

TEST(TomlTable, ReadsListsOfTablesInBothForms) {
  for (const auto* text : {"[[item]]\nv = 1\n[[item]]\nv = 2\n", "item = [{v = 1}, {v = 2}]"}) {
    const Document read(text);
    const auto items = read.root.tables("item", "[[item]]");
    ASSERT_EQ(items.size(), 2U) << text;
    EXPECT_EQ(items[1].whole_number("v", 0, 9), 2) << text;
    items[1].require("w", "a w");
    EXPECT_THAT(read.message(), HasSubstr("missing in [[item]]")) << text;
  }
}

TEST(TomlTable, RefusesListsOfSomethingElse) {
  const Document number("item = 7");
  EXPECT_TRUE(number.root.tables("item", "[[item]]").empty());
  EXPECT_THAT(number.message(), HasSubstr("item: found the number 7, expected tables that each begin with [[item]]"));
  const Document mixed("item = [{v = 1}, 7]");
  EXPECT_EQ(mixed.root.tables("item", "[[item]]").size(), 1U);
  EXPECT_THAT(mixed.message(), HasSubstr("item: found the number 7, expected a table"));
}

TEST(TomlTable, KeepsTheFirstError) {
  const Document read("a = true\nb = true");
  EXPECT_FALSE(read.root.text("a"));
  EXPECT_FALSE(read.root.text("b"));
  EXPECT_THAT(read.message(), StartsWith("line 1, column 5: a: "));
  read.root.refuse("b", "no");
  EXPECT_THAT(read.message(), StartsWith("line 1, column 5: a: "));
}

TEST(TomlTable, QuotesForeignTextBrieflyAndHarmlessly) {
  const Document read("\"" + std::string(100'000, 'x') + "\" = 1");
  read.root.allow_only({"name"});
  EXPECT_LT(read.message().size(), 200U);
  const Document escape("\"\\u001b[31m\" = 1");
  escape.root.allow_only({"name"});
  EXPECT_THAT(escape.message(), HasSubstr("\"\\x1b[31m\""));
}

}  // namespace
}  // namespace dualgpuopt::memory
