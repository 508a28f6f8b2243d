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

TEST(JsonNumbers, ReportTheFirstThatIsWrong) {
  JsonNumbers numbers(kObject);
  EXPECT_EQ(numbers.count("negative"), 0U);
  EXPECT_EQ(numbers.required("absent"), 0U);
  EXPECT_EQ(numbers.error(), "the key \"negative\" is -1: expected a whole number that is not negative");
  JsonNumbers others(kObject);
  EXPECT_EQ(others.required("absent"), 0U);
  EXPECT_EQ(others.error(), "the key \"absent\" is missing");
}

TEST(JsonText, IsReadWhereItIsNotNestedTooDeeply) {
  EXPECT_EQ(parse_json(R"({"a": {"b": [1, 2]}})")["a"]["b"][1], 2);
  EXPECT_FALSE(parse_json("{").is_object());
  EXPECT_FALSE(parse_json("").is_object());
  EXPECT_FALSE(parse_json("{\"a\": " + std::string(1000, '[') + std::string(1000, ']') + "}").is_object());
  const auto brackets = "{\"a\": \"\\\"" + std::string(1000, '[') + "\"}";
  EXPECT_TRUE(parse_json(brackets).is_object()) << "those in a string are text";
}

TEST(JsonText, IsReadInLinearTime) {
  std::string many = "{\"a0\": {}";
  for (int i = 1; i < 200'000; ++i) many += ", \"a" + std::to_string(i) + "\": {}";
  EXPECT_EQ(parse_json(many + "}").size(), 200'000U);
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
