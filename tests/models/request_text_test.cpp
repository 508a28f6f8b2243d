#include "models/request_text.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory {
namespace {

TEST(RequestText, AContextIsOfAFewTokensAtLeastAndOfAThousandMillionAtMost) {
  EXPECT_TRUE(check_context(1));
  EXPECT_TRUE(check_context(kMostTokens));
  EXPECT_FALSE(check_context(0));
  EXPECT_FALSE(check_context(static_cast<std::uint64_t>(-5)));
}

TEST(RequestText, GpusAreACountOrWhatIsFree) {
  EXPECT_EQ(parse_gpus("2")->count, 2U);
  EXPECT_TRUE(parse_gpus("2")->free.empty());
  EXPECT_EQ(parse_gpus("24GiB,16GiB")->free, (std::vector<Bytes>{24_GiB, 16_GiB}));
  EXPECT_EQ(parse_gpus("0")->count, 0U);
  for (const auto* text : {"", "2.5", "-1", "65", "24GiB,", "many"}) EXPECT_FALSE(parse_gpus(text)) << text;
}

TEST(RequestText, ErrorsNameTheField) {
  EXPECT_NE(parse_gpus("many").error().describe().find("gpus"), std::string::npos);
  EXPECT_NE(parse_split("a", {}).error().describe().find("split"), std::string::npos);
  EXPECT_NE(parse_cache_type("kv_type_k", "f17").error().describe().find("kv_type_k"), std::string::npos);
}

TEST(RequestText, SharesFollowWhatIsFree) {
  EXPECT_EQ(*parse_split("", {2, {30, 10}}), (std::vector<double>{30, 10}));
  EXPECT_TRUE(parse_split("", {2, {}})->empty());
  EXPECT_EQ(*parse_split("3,1", {2, {30, 10}}), (std::vector<double>{3, 1}));
}

TEST(RequestText, AModelMustBeNamed) {
  EXPECT_EQ(load_model({}).error().code(), ErrorCode::InvalidArgument);
  EstimateRequest request;
  request.model = "/nowhere/model.gguf";
  EXPECT_EQ(load_model(request).error().code(), ErrorCode::NotFound);
}

TEST(RequestText, SaysWhichOfUnequalGpusCounts) {
  EXPECT_EQ(unequal_note(*parse_gpus("2")), std::nullopt);
  EXPECT_EQ(unequal_note(*parse_gpus("8GiB,8GiB")), std::nullopt);
  EXPECT_EQ(unequal_note(*parse_gpus("24GiB,8GiB")),
            "the GPUs are not alike: each is counted as the smallest, 8.0 GiB");
}

}  // namespace
}  // namespace dualgpuopt::memory
