#include "dualgpuopt/memory/profiles/profile_estimate.h"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "models/gguf_writer.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;

ProfileEstimate estimate_of(const std::string& name, const EstimateRequest& request) {
  const auto estimate = estimate_profile(*find_profile(name), request);
  EXPECT_TRUE(estimate) << estimate.error().describe();
  return *estimate;
}

TEST(FindProfile, KnowsTheBuiltInOnesAndThoseOfAFile) {
  EXPECT_EQ(find_profile("mistral-7b")->base, 8_GiB);
  const testing::TemporaryFile file("profiles.toml");
  std::ofstream(file.path()) << R"([[profile]]
name = "mistral-7b"
base = "1GiB"
per_batch = 1
per_token = 1
)";
  EXPECT_EQ(find_profile("mistral-7b", file.path())->base, 1_GiB) << "the file's own counts";
  EXPECT_EQ(find_profile("llama2-7b", file.path())->base, 7_GiB);
  EXPECT_EQ(find_profile("mistral-7b", file.path().string() + "x").error().code(), ErrorCode::NotFound);
}

TEST(FindProfile, SaysWhatThereIs) {
  const auto error = find_profile("llama4").error();
  EXPECT_EQ(error.code(), ErrorCode::NotFound);
  EXPECT_THAT(error.describe(), HasSubstr("llama4: there is no such file, nor a profile of that name: there are "
                                          "llama2-7b, llama2-13b, llama2-70b, mistral-7b, mixtral-8x7b"));
}

TEST(ProfileEstimate, IsTheProfilesLine) {
  EstimateRequest request;
  request.context = 4096;
  request.parallel = 2;
  request.gpus = "8GiB,4GiB";
  const auto estimate = estimate_of("llama2-7b", request);
  EXPECT_EQ(estimate.usage(), 7_GiB + 100_MiB + 12_MiB);
  EXPECT_EQ(estimate.margin(), static_cast<SignedBytes>(5_GiB - 112_MiB)) << "on both together";
  EXPECT_EQ(estimate.largest_batch(), (5_GiB - 12_MiB) / 50_MiB);
  EXPECT_EQ(estimate.longest_context(), (5_GiB - 100_MiB) / 3_KiB);
}

TEST(ProfileEstimate, SaysWhatIsMissing) {
  EstimateRequest request;
  request.gpus = "6GiB";
  const auto record = nlohmann::json::parse(to_json(estimate_of("llama2-7b", request)));
  EXPECT_EQ(record["runtime"], "profile");
  EXPECT_EQ(record["total_bytes"], 7_GiB + 50_MiB);
  EXPECT_EQ(record["fit"]["fits"], false);
  EXPECT_EQ(record["fit"]["missing_bytes"], 1_GiB + 50_MiB);
  EXPECT_TRUE(record["fit"]["limits"]["context"].is_null());
  request.gpus = "1";
  EXPECT_TRUE(nlohmann::json::parse(to_json(estimate_of("llama2-7b", request)))["fit"].is_null());
}

TEST(ProfileEstimate, WhatCostsNothingHasNoLargest) {
  const ProfileEstimate estimate{{"free", 100, 0, 0}, 1, 0, {200}};
  EXPECT_EQ(estimate.largest_batch(), std::nullopt);
  const auto limits = nlohmann::json::parse(to_json(estimate))["fit"]["limits"];
  EXPECT_TRUE(limits["context"]["tokens"].is_null());
  EXPECT_EQ(limits["context"]["margin_bytes"], 100);
}

TEST(ProfileEstimate, NamesTheFieldThatIsWrong) {
  EstimateRequest request;
  request.gpus = "many";
  EXPECT_THAT(estimate_profile(*find_profile("llama2-7b"), request).error().describe(), HasSubstr("gpus: "));
}

}  // namespace
}  // namespace dualgpuopt::memory
