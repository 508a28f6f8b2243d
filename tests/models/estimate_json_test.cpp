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
  EXPECT_TRUE(nlohmann::json::parse(to_json(estimate))["fit"]["limits"].is_null());
}

TEST(EstimateJson, HasWhatStillFits) {
  LlamaCppEstimate estimate;
  estimate.model = testing::llama3_8b();
  estimate.options.cache.context = 8192;
  estimate.need = llamacpp_need(estimate.model, estimate.options);
  estimate.free = {8_GiB};
  estimate.limits = FitLimits{Limit{16384, 5}, std::nullopt, Limit{33, 7}, LayerSplit{{20, 13}, -9}};
  const auto fit = nlohmann::json::parse(to_json(estimate))["fit"];
  EXPECT_EQ(fit["free_bytes"][0], 8_GiB);
  EXPECT_EQ(fit["margin_bytes"][0], 8_GiB - estimate.need[0].total() - kTypicalContextOverhead);
  EXPECT_EQ(fit["limits"]["context"]["tokens"], 16384);
  EXPECT_EQ(fit["limits"]["context"]["margin_bytes"], 5);
  EXPECT_TRUE(fit["limits"]["parallel"].is_null());
  EXPECT_EQ(fit["limits"]["gpu_layers"]["layers"], 33);
  EXPECT_EQ(fit["limits"]["split"]["layers"][1], 13);
  EXPECT_EQ(fit["limits"]["split"]["margin_bytes"], -9);
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
  EXPECT_EQ(record["fit"]["limits"]["context"]["tokens"], estimate.need.tokens);
}

}  // namespace
}  // namespace dualgpuopt::memory
