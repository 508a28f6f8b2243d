#include "dualgpuopt/memory/profiles/profile_file.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "core/format.h"
#include "profiles/temporary_folder.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ProfileFile = testing::TemporaryFolder;

const StoredProfile kMine{{"mine", 7_GiB, 50_MiB, 3000}, 1.05, 0.85};

std::string complaint(std::string_view text, const ProfileFileLimits& limits = {}) {
  const auto profiles = parse_profiles(text, limits);
  return profiles ? "none" : profiles.error().describe();
}

std::string refusal(const std::vector<StoredProfile>& profiles, const ProfileFileLimits& limits = {}) {
  const auto text = format_profiles(profiles, limits);
  return text ? "none" : text.error().describe();
}

TEST(FormatProfiles, IsMadeToBeRead) {
  EXPECT_EQ(format_profiles({kMine, {{"other", 8_GiB + 512_MiB, 0, 128_KiB}}}),
            R"(# Memory profiles: usage = base + batch * per_batch + tokens * per_token

[[profile]]
name = "mine"
base = "7GiB"
per_batch = "50MiB"
per_token = 3000
growth_rate = 1.05
recovery_buffer = 0.85

[[profile]]
name = "other"
base = "8704MiB"
per_batch = 0
per_token = "128KiB"
)");
}

TEST(FormatProfiles, EscapesNames) {
  const StoredProfile odd{{"a \"b\" \\ \b\t\n\f\r \x01\x7f caf\u00e9 \U0001f600", 1, 1, 1}};
  const auto text = format_profiles({odd});
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr(R"(name = "a \"b\" \\ \b\t\n\f\r \u0001\u007F café 😀")"));
  EXPECT_THAT(*parse_profiles(*text), ElementsAre(odd));
}

TEST(FormatProfiles, RefusesWhatAFileCannotHold) {
  EXPECT_EQ(refusal({}), "none");
  EXPECT_EQ(refusal({kMine, kMine}), "the profile \"mine\" cannot be saved: another has the same name");
  EXPECT_THAT(refusal({{{"", 1, 1, 1}}}), HasSubstr("it has no name"));
  EXPECT_THAT(refusal({{{"\xff", 1, 1, 1}}}), HasSubstr("its name is no UTF-8"));
  EXPECT_THAT(refusal({{{"a", Bytes{1} << 63, 1, 1}}}), HasSubstr("a size is 8 EiB or more"));
  EXPECT_THAT(refusal({{{"a", 1, 1, Bytes{1} << 63}}}), HasSubstr("a size is 8 EiB or more"));
  constexpr double infinite = std::numeric_limits<double>::infinity();
  EXPECT_THAT(refusal({{{"a", 1, 1, 1}, infinite}}), HasSubstr("is not finite"));
  EXPECT_THAT(refusal({{{"a", 1, 1, 1}, 1, std::nan("")}}), HasSubstr("is not finite"));
  EXPECT_EQ(refusal({kMine, {{"b", 1, 1, 1}}}, {.profiles = 1}), "2 profiles are more than 1, the most for a file");
  EXPECT_THAT(refusal({kMine}, {.bytes = 100}), HasSubstr("larger than 100 B"));
}

TEST(ParseProfiles, TakesEverythingAsPeopleWriteIt) {
  const auto profiles = parse_profiles(R"(
    # by hand
    [[profile]]
    name = 'a'
    base = "1.5 GiB"
    per_batch = "2gb"
    per_token = 4096
    growth_rate = 1
    [[profile]]
    per_token = "3k"
    per_batch = 0
    base = 9223372036854775807
    name = "b"
    recovery_buffer = 0.5
  )");
  ASSERT_TRUE(profiles) << profiles.error().describe();
  EXPECT_THAT(*profiles, ElementsAre(StoredProfile{{"a", 1536_MiB, 2'000'000'000, 4096}, 1.0, {}},
                                     StoredProfile{{"b", 9223372036854775807U, 0, 3072}, {}, 0.5}));
  EXPECT_THAT(*parse_profiles("profile = [{name = 'a', base = 1, per_batch = 2, per_token = 3}]"),
              ElementsAre(StoredProfile{{"a", 1, 2, 3}}));
  EXPECT_TRUE(parse_profiles("")->empty());
  EXPECT_TRUE(parse_profiles("profile = []")->empty());
}

/// Each with all of its message, so that a change shows.
TEST(ParseProfiles, NamesThePlaceTheKeyAndWhatWasExpected) {
  constexpr const char* start = "[[profile]]\nname = 'a'\nbase = 1\nper_batch = 2\nper_token = 3\n";
  EXPECT_EQ(complaint(start), "none");
  EXPECT_EQ(complaint("[[profile]]\nbase = 1\nper_batch = 2\nper_token = 3\n"),
            "line 1, column 1: the key \"name\" is missing in [[profile]]: expected the profile's name");
  EXPECT_EQ(complaint("[[profile]]\nname = 'a'\nbase = 1\nper_token = 3\n"),
            "line 1, column 1: the key \"per_batch\" is missing in [[profile]]: expected a size, as in \"7GiB\"");
  EXPECT_EQ(
      complaint(start + std::string("colour = 'red'\n")),
      "line 6, column 1: unknown key \"colour\" in [[profile]]: expected one of name, base, per_batch, per_token, "
      "growth_rate, recovery_buffer");
  EXPECT_EQ(complaint(start + std::string("growth_rate = 'fast'\n")),
            "line 6, column 15: growth_rate: found the text \"fast\", expected a finite number");
  EXPECT_EQ(complaint(start + std::string("recovery_buffer = inf\n")),
            "line 6, column 19: recovery_buffer: found the number inf, expected a finite number");
  EXPECT_EQ(complaint("profiles = 3\n"),
            "line 1, column 1: unknown key \"profiles\" in the file: expected one of profile");
  EXPECT_EQ(complaint("profile = 3\n"),
            "line 1, column 11: profile: found the number 3, expected tables that each begin with [[profile]]");
  EXPECT_EQ(complaint("profile = [3]\n"), "line 1, column 12: profile: found the number 3, expected a table");
  EXPECT_EQ(complaint("[profile]\nname = 'a'\n"),
            "line 1, column 1: profile: found a table, expected tables that each begin with [[profile]]");
  EXPECT_EQ(complaint("[[profile]]\nname = ''\nbase = 1\nper_batch = 2\nper_token = 3\n"),
            "line 2, column 8: name: found the text \"\", expected a text that is not empty");
  EXPECT_EQ(complaint("[[profile]]\nname = 'a'\nbase = '7 GiX'\nper_batch = 2\nper_token = 3\n"),
            "line 3, column 8: base: cannot read \"7 GiX\" as a size: unknown unit \"GiX\" at character 3; expected a "
            "number with B, KiB, MiB, GiB or TiB, as in 8GiB");
  EXPECT_THAT(complaint("[[profile]]\nname = 'a'\nbase = -1\nper_batch = 2\nper_token = 3\n"),
              HasSubstr("line 3, column 8: base: cannot read \"-1\" as a size: the number is negative"));
  EXPECT_EQ(complaint(start + std::string(start)), "line 7, column 8: name: \"a\" is there twice");
  EXPECT_THAT(complaint("[[profile]\n"), HasSubstr("line 1, column "));
  EXPECT_THAT(complaint("name = \"\xff\"\n"), HasSubstr("line 1, column "));
}

TEST(ParseProfiles, ReadsOnlySoMany) {
  std::string text;
  for (int i = 0; i < 4; ++i)
    text += format_text("[[profile]]\nname = '{}'\nbase = 1\nper_batch = 2\nper_token = 3\n", i);
  EXPECT_EQ(complaint(text, {.profiles = 4}), "none");
  EXPECT_EQ(complaint(text, {.profiles = 3}), "line 17, column 8: name: more than 3 profiles are not read");
}

TEST_F(ProfileFile, IsReadBackAsItWasSaved) {
  const auto file = folder_ / "profiles.toml";
  ASSERT_TRUE(save_profiles(file, {kMine}));
  EXPECT_THAT(*load_profiles(file), ElementsAre(kMine));
  ASSERT_TRUE(save_profiles(file, {}));
  EXPECT_TRUE(load_profiles(file)->empty());
  EXPECT_THAT(names(), ElementsAre("profiles.toml"));
}

TEST_F(ProfileFile, ReadsTheExampleOfTheDocumentation) {
  const auto document = contents(DUALGPUOPT_SOURCE_DIR "/docs/profiles.md");
  const auto begin = document.find("```toml\n");
  ASSERT_NE(begin, std::string::npos);
  const auto profiles = parse_profiles(document.substr(begin + 8, document.find("\n```", begin) - begin - 7));
  ASSERT_TRUE(profiles) << profiles.error().describe();
  EXPECT_THAT(*profiles, ElementsAre(kMine));
}

TEST_F(ProfileFile, IsNamedInErrors) {
  const auto file = folder_ / "profiles.toml";
  EXPECT_EQ(load_profiles(file).error().code(), ErrorCode::NotFound);
  EXPECT_EQ(load_profiles(file).error().describe(), file.string() + ": cannot be read: No such file or directory");
  write(file, "[[profile]]\nname = 3\n");
  EXPECT_THAT(load_profiles(file).error().describe(), HasSubstr(file.string() + ": line 2, column 8: name: "));
  EXPECT_THAT(load_profiles(file, {.bytes = 5}).error().describe(), HasSubstr("larger than 5 B"));
  EXPECT_THAT(save_profiles(folder_ / "none" / "a", {kMine}).error().describe(),
              HasSubstr("none/a: cannot be written: "));
  EXPECT_EQ(save_profiles("/dev/full", {kMine}).error().describe(),
            "/dev/full: cannot be written: No space left on device");
}

TEST_F(ProfileFile, StaysAsItWasWhenTheNewOneMakesNoSense) {
  const auto file = folder_ / "profiles.toml";
  ASSERT_TRUE(save_profiles(file, {kMine}));
  EXPECT_THAT(save_profiles(file, {kMine, kMine}).error().describe(), HasSubstr("another has the same name"));
  EXPECT_THAT(*load_profiles(file), ElementsAre(kMine));
}

// Properties ----------------------------------------------------------------------------------------------------------

std::string any_name() {
  static const std::vector<std::string> pieces{
      "a", "Z", " ", "\"",     "\\",     "'",      "\n",     "\r",     "\r\n",       "\t",      "\x1b", "\x7f",
      "#", "]", "=", "\u00e9", "\u0085", "\u2028", "\u4e16", "\ufeff", "\U0001f600", "\\u0041", "\\"};
  std::string name = "n";
  for (auto left = *rc::gen::inRange(0, 12); left > 0; --left) name += *rc::gen::elementOf(pieces);
  return name;
}

Bytes any_size() {
  const auto whole = *rc::gen::inRange<Bytes>(0, 1 << 20);
  const auto any = *rc::gen::inRange<Bytes>(0, (Bytes{1} << 63) - 1);
  return *rc::gen::element(whole, whole << 10, whole << 20, whole << 30, any, any >> *rc::gen::inRange(0, 63));
}

std::optional<double> any_number() {
  const auto number =
      *rc::gen::oneOf(rc::gen::arbitrary<double>(),
                      rc::gen::element(0.0, 1.05, 0.1, -2.0, 1e300, 5e-324, 9007199254740994.0, 1e18, 1e19));
  return *rc::gen::arbitrary<bool>() && std::isfinite(number) ? std::optional(number) : std::nullopt;
}

RC_GTEST_PROP(ProfileFileRoundTrip, LosesNothing, ()) {
  std::vector<StoredProfile> profiles;
  std::set<std::string> names;
  for (auto left = *rc::gen::inRange(0, 8); left > 0; --left) {
    const auto name = any_name();
    if (!names.insert(name).second) continue;
    profiles.push_back({{name, any_size(), any_size(), any_size()}, any_number(), any_number()});
  }
  const auto text = format_profiles(profiles);
  RC_ASSERT(text.has_value());
  const auto read = parse_profiles(*text);
  if (!read) RC_FAIL(read.error().describe() + "\n" + *text);
  RC_ASSERT(*read == profiles);
  RC_ASSERT(format_profiles(*read).value() == *text);
}

RC_GTEST_PROP(ProfileFileRoundTrip, OfATextThatIsCutIsAnErrorOrFewer, ()) {
  const auto text = format_profiles({kMine, {{"second", 1, 2, 3}}}).value();
  const auto cut = parse_profiles(std::string_view(text).substr(0, *rc::gen::inRange<std::size_t>(0, text.size())));
  if (cut) RC_ASSERT(cut->size() <= 2U);
  if (!cut) RC_ASSERT(cut.error().describe().rfind("line ", 0) == 0U);
}

}  // namespace
}  // namespace dualgpuopt::memory
