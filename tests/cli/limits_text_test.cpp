#include "cli/limits_text.h"

#include <gtest/gtest.h>

namespace dualgpuopt::memory::cli {
namespace {

Model trained_for(std::uint64_t context) {
  Model model;
  model.shape.context = context;
  model.shape.layers.resize(32);
  return model;
}

TEST(LimitsText, HasALineAnAnswer) {
  LlamaCppOptions options;
  options.cache.context = 8192;
  options.cache.sequences = 2;
  const FitLimits limits{Limit{41216, 3_MiB}, Limit{5, 200_MiB}, Limit{33, 2_GiB},
                         LayerSplit{{20, 13}, -SignedBytes{1 << 20}}};
  EXPECT_EQ(limits_text(limits, trained_for(8192), options), R"(
The most that fits, each alone:
Largest context  --context 41216 (trained for 8192)      3 MiB to spare
Largest batch    --parallel 5 --context 20480            200 MiB to spare
Most GPU layers  --gpu-layers 33 of 33                   2.0 GiB to spare
Best split       --split 20,13                           1 MiB missing
)");
}

TEST(LimitsText, IsEmptyWhereNothingFits) {
  EXPECT_EQ(limits_text({}, trained_for(8192), LlamaCppOptions{}), "");
  EXPECT_EQ(limits_text({}, trained_for(8192), TransformersOptions{}), "");
}

TEST(LimitsText, OfOtherRuntimesHasTheirWords) {
  const FitLimits limits{Limit{4096, 0}, Limit{3, 0}, std::nullopt, LayerSplit{{1, 2}, 0}};
  VllmOptions vllm;
  vllm.context = 1000;
  EXPECT_NE(limits_text(limits, trained_for(0), vllm).find("3 of 1000 tokens side by side"), std::string::npos);
  EXPECT_NE(limits_text(limits, trained_for(0), TransformersOptions{}).find("--split 1,2"), std::string::npos);
  const auto training = limits_text(limits, trained_for(0), TrainingOptions{});
  EXPECT_NE(training.find("--batch 3"), std::string::npos);
  EXPECT_EQ(training.find("--split"), std::string::npos);
}

}  // namespace
}  // namespace dualgpuopt::memory::cli
