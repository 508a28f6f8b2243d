#include "models/json_numbers.h"

#include <gtest/gtest.h>

#include <fstream>

#include "models/gguf_writer.h"

namespace dualgpuopt::memory {
namespace {

const nlohmann::json kObject = {{"n", 7}, {"list", {1, 2}}, {"text", "x"}, {"none", nullptr}, {"negative", -1}};

TEST(JsonNumbers, AreFoundByName) {
  JsonNumbers numbers(kObject);
  EXPECT_EQ(numbers.count("n"), 7U);
  EXPECT_EQ(numbers.count("list"), 1U);
  EXPECT_EQ(numbers.count("absent", 5), 5U);
  EXPECT_EQ(numbers.count("none", 5), 5U) << "null is not there";
  EXPECT_EQ(numbers.first_of({"absent", "n", "list"}), 7U);
  EXPECT_EQ(numbers.first_of({"absent"}), 0U);
  EXPECT_EQ(numbers.at_layer("list", 1), 2U);
  EXPECT_EQ(numbers.at_layer("n", 1), 7U);
  EXPECT_EQ(numbers.error(), "");
  EXPECT_EQ(text_at(kObject, "text"), "x");
  EXPECT_EQ(text_at(kObject, "n"), "");
}

TEST(JsonNumbers, AreFoundInLists) {
  const JsonNumbers numbers(kObject);
  EXPECT_EQ(numbers.members("list"), (std::set<std::uint64_t>{1, 2}));
  EXPECT_TRUE(numbers.members("n").empty()) << "it is no list";
  const nlohmann::json words = {{"types", {"full", 1}}, {"on", true}};
  EXPECT_EQ(text_at(words, "types", 0), "full");
  EXPECT_EQ(text_at(words, "types", 1), "") << "it is no text";
  EXPECT_EQ(text_at(words, "types", 2), "");
  EXPECT_TRUE(is_set(words, "on"));
  EXPECT_FALSE(is_set(words, "types"));
}

TEST(JsonNumbers, OfLayersAreBounded) {
  const nlohmann::json object = {{"none", 0}, {"many", 4097}, {"some", 4096}};
  JsonNumbers fine(object);
  EXPECT_EQ(fine.layers({"absent", "some"}), 4096U);
  EXPECT_EQ(fine.error(), "");
  JsonNumbers many(object);
  EXPECT_EQ(many.layers({"many"}), 0U);
  EXPECT_EQ(many.error(), "the key \"many\" is 4097: expected 1 to 4096 layers");
  JsonNumbers none(object);
  EXPECT_EQ(none.layers({"none"}), 0U);
  EXPECT_EQ(none.error(), "the key \"none\" is 0: expected at least 1");
}

TEST(JsonNumbers, ReportTheFirstThatIsWrong) {
  JsonNumbers numbers(kObject);
  EXPECT_EQ(numbers.count("negative"), 0U);
  EXPECT_EQ(numbers.required("absent"), 0U);
  EXPECT_EQ(numbers.error(), "the key \"negative\" is -1: expected a whole number that is not negative");
  JsonNumbers others(kObject);
  EXPECT_EQ(others.required("absent"), 0U);
  EXPECT_EQ(others.error(), "the key \"absent\" is missing");
}

std::string refusal(const std::string& text) {
  const auto value = parse_json_object(text);
  return value ? "it was read" : value.error().describe();
}

TEST(JsonText, IsReadWhereItIsNotNestedTooDeeply) {
  EXPECT_EQ(parse_json_object(R"({"a": {"b": [1, 2]}})")->at("a")["b"][1], 2);
  EXPECT_EQ(refusal("{\n\"a\": " + std::string(1000, '[') + std::string(1000, ']') + "}"),
            "line 2, column 69: nested more than 64 levels deep");
  const auto brackets = "{\"a\": \"\\\"" + std::string(1000, '[') + "\"}";
  EXPECT_TRUE(parse_json_object(brackets)) << "those in a string are text";
}

TEST(JsonText, IsRefusedWithThePlace) {
  EXPECT_EQ(refusal(""),
            "this is not JSON: line 1, column 1: unexpected end of input; expected '[', '{', or a literal");
  EXPECT_EQ(refusal("{\"a\": 1,\n \"b\": 2,\n}"),
            "this is not JSON: line 3, column 1: unexpected '}'; expected string literal");
  EXPECT_EQ(refusal("{\"a\": \"\x1b[31m\xff\"}"),
            "this is not JSON: line 1, column 8: invalid string: control character U+001B (ESC) must be escaped to "
            "\\u001B");
  EXPECT_EQ(refusal("{\"a\": 1e999}"), "this JSON has a number that is too large");
  EXPECT_EQ(refusal("[1]"), "this is not a JSON object but of type array");
}

TEST(JsonText, IsReadInLinearTime) {
  std::string many = "{\"a0\": {}";
  for (int i = 1; i < 200'000; ++i) many += ", \"a" + std::to_string(i) + "\": {}";
  EXPECT_EQ(parse_json_object(many + "}")->size(), 200'000U);
}

TEST(JsonFile, IsReadUpToALimit) {
  const testing::TemporaryFile file("x.json");
  std::ofstream(file.path()) << "{}";
  EXPECT_EQ(read_json_file(file.path()), "{}");
  EXPECT_EQ(read_json_file("/no/such").error().code(), ErrorCode::NotFound);
  std::filesystem::resize_file(file.path(), (16U << 20) + 1);
  EXPECT_EQ(read_json_file(file.path()).error().code(), ErrorCode::Io);
}

}  // namespace
}  // namespace dualgpuopt::memory
