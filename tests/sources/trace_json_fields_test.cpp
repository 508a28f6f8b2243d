#include "sources/trace_json_fields.h"

#include <gmock/gmock.h>

#include "dualgpuopt/memory/metrics/device.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// One object and its fields, as from line 4.
struct Object {
  explicit Object(std::string_view text) : object(nlohmann::json::parse(text)), fields(object, line) {}

  [[nodiscard]] std::string problem() const { return fields.problem() ? fields.problem()->message() : ""; }

  nlohmann::json object;
  TraceLine line{4, "", true};
  TraceJsonFields fields;
};

TEST(TraceJsonFields, ReadsWhatIsThere) {
  Object o(R"({"gpu":1023,"n":9223372036854775807,"s":"text","t":-1.5,"w":"2023-11-14T22:13:20.250Z","kind":"mig"})");
  EXPECT_EQ(o.fields.gpu(), 1023);
  EXPECT_EQ(o.fields.whole_number("n"), 9223372036854775807U);
  EXPECT_EQ(o.fields.text("s"), "text");
  EXPECT_EQ(o.fields.seconds("t"), -1500ms);
  EXPECT_EQ(o.fields.wall_time("w"), WallTime(1'700'000'000'250ms));
  EXPECT_EQ(o.fields.name("kind", "a kind", std::array{DeviceKind::Gpu, DeviceKind::Mig}), DeviceKind::Mig);
  EXPECT_EQ(o.problem(), "");
}

TEST(TraceJsonFields, TakesNullAndMissingAsNothing) {
  Object o(R"({"n":null})");
  for (const auto* key : {"n", "missing"}) {
    EXPECT_FALSE(o.fields.whole_number(key));
    EXPECT_FALSE(o.fields.text(key));
    EXPECT_FALSE(o.fields.seconds(key));
    EXPECT_FALSE(o.fields.wall_time(key));
  }
  EXPECT_EQ(o.problem(), "");
  o.fields.require(o.fields.whole_number("n"), "n");
  EXPECT_EQ(o.problem(), "line 4: n is missing");
}

TEST(TraceJsonFields, RefusesNumbersOutOfRange) {
  for (const auto* number : {"-1", "1.5", "1e3", "9223372036854775808", "1e300", "\"1\"", "[1]", "{}", "true"}) {
    Object o(std::string(R"({"n":)") + number + "}");
    EXPECT_FALSE(o.fields.whole_number("n")) << number;
    EXPECT_THAT(o.problem(), HasSubstr("line 4: cannot read")) << number;
  }
  for (const auto* gpu : {"1024", "-1", "\"0\"", "null"}) {
    Object o(std::string(R"({"gpu":)") + gpu + "}");
    EXPECT_EQ(o.fields.gpu(), 0) << gpu;
    EXPECT_THAT(o.problem(), HasSubstr("gpu")) << gpu;
  }
  Object far_away(R"({"t":1e18})");
  EXPECT_FALSE(far_away.fields.seconds("t"));
}

TEST(TraceJsonFields, ListsTheNamesThatItKnows) {
  Object o(R"({"kind":"toaster"})");
  EXPECT_FALSE(o.fields.name("kind", "a kind", std::array{DeviceKind::Gpu, DeviceKind::Mig}));
  EXPECT_THAT(o.problem(), HasSubstr("line 4: cannot read \"toaster\" as a kind; expected gpu or mig"));
}

TEST(TraceJsonFields, KeepsTheFirstProblem) {
  Object o(R"({"a":"x","w":"noon"})");
  EXPECT_FALSE(o.fields.whole_number("a"));
  EXPECT_FALSE(o.fields.wall_time("w"));
  EXPECT_EQ(o.problem(), "line 4: cannot read \"x\" as a: expected a whole number from 0 to 2^63 - 1");
}

TEST(TraceJsonFields, QuotesHugeValuesBriefly) {
  Object o(R"({"n":[)" + std::string(100'000, '[') + std::string(100'000, ']') + R"(],"m":")" +
           std::string(100'000, 'x') + "\"}");
  EXPECT_FALSE(o.fields.whole_number("n"));
  EXPECT_LT(o.problem().size(), 200U);
}

}  // namespace
}  // namespace dualgpuopt::memory
