#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "dualgpuopt/memory/models/estimate.h"
#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

TEST(EstimateJson, HasThePartsOfEachDevice) {
  LlamaCppEstimate estimate;
  estimate.model = testing::llama3_8b();
  estimate.model.shape.name = "broken \xff name";
  estimate.options.cache.context = 8192;
  estimate.need = llamacpp_need(estimate.model, estimate.options);
  const auto record = nlohmann::json::parse(to_json(estimate));
  EXPECT_EQ(record["type"], "estimate");
  EXPECT_EQ(record["kv_cache_bytes"], 1_GiB);
  EXPECT_TRUE(record["fit"].is_null());
  const auto& gpu = record["devices"][0];
  EXPECT_EQ(gpu["device"], "GPU 0");
  EXPECT_EQ(gpu["total_bytes"], estimate.need[0].total());
  EXPECT_EQ(record["devices"][1]["device"], "host");
  estimate.free = {8_GiB};
  estimate.missing = {1_GiB};
  EXPECT_EQ(nlohmann::json::parse(to_json(estimate))["fit"]["fits"], false);
}

TEST(EstimateJson, OfVllmHasItsTokens) {
  VllmEstimate estimate;
  estimate.model = testing::llama3_8b();
  estimate.options.total = 24_GiB;
  estimate.options.context = 8192;
  estimate.need = vllm_need(estimate.model, estimate.options);
  const auto record = nlohmann::json::parse(to_json(estimate));
  EXPECT_EQ(record["runtime"], "vllm");
  EXPECT_EQ(record["bytes_per_token"], 131072U);
  EXPECT_EQ(record["tokens"], estimate.need.tokens);
  EXPECT_EQ(record["fit"]["fits"], true);
}

}  // namespace
}  // namespace dualgpuopt::memory
