#include "dualgpuopt/memory/models/fit.h"

#include <gmock/gmock.h>

#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

LlamaCppOptions with_context(std::uint64_t tokens) {
  LlamaCppOptions options;
  options.cache.context = tokens;
  return options;
}

TEST(Fit, SaysHowMuchIsMissing) {
  const auto need = llamacpp_need(testing::llama3_8b(), with_context(8192));
  const auto wanted = need[0].total() + kTypicalContextOverhead;
  EXPECT_EQ(missing(need, {{wanted}}), std::vector<Bytes>{0});
  EXPECT_EQ(missing(need, {{wanted - 1}}), std::vector<Bytes>{1});
}

TEST(Fit, AsksNothingOfAGpuThatIsNotUsed) {
  auto options = with_context(8192);
  options.gpu_layers = 0;
  EXPECT_FALSE(fits(testing::llama3_8b(), options, {{0}})) << "it works on large batches";
  options.host_ops_on_gpu = false;
  EXPECT_TRUE(fits(testing::llama3_8b(), options, {{0}}));
}

TEST(Fit, FindsTheLargestContext) {
  const auto model = testing::llama3_8b();
  const GpuRoom room{{8_GiB}};
  const auto tokens = largest_context(model, with_context(1), room, 1 << 20);
  EXPECT_GT(tokens, 8192U);
  EXPECT_TRUE(fits(model, with_context(tokens), room));
  EXPECT_FALSE(fits(model, with_context(tokens + 256), room));
  EXPECT_EQ(largest_context(model, with_context(1), room, 4096), 4096U) << "no more than asked for";
  EXPECT_EQ(largest_context(model, with_context(1), {{1_GiB}}, 4096), 0U);
}

TEST(Fit, FindsTheMostLayers) {
  const auto model = testing::llama3_8b();
  const GpuRoom room{{4_GiB}};
  auto options = with_context(8192);
  const auto layers = most_gpu_layers(model, options, room);
  ASSERT_TRUE(layers);
  options.gpu_layers = *layers;
  EXPECT_TRUE(fits(model, options, room));
  options.gpu_layers = *layers + 1;
  EXPECT_FALSE(fits(model, options, room));
  EXPECT_EQ(most_gpu_layers(model, options, {{80_GiB}}), 33U);
  EXPECT_EQ(most_gpu_layers(model, options, {{0}}), std::nullopt);
  options.host_ops_on_gpu = false;
  EXPECT_EQ(most_gpu_layers(model, options, {{0}}), 0U);
}

TEST(Fit, OffersWhatWouldHelpAndNothingElse) {
  const auto found = remedies(testing::llama3_8b(), with_context(32768), {{7_GiB}});
  EXPECT_THAT(found, Contains(HasSubstr("--kv-type-k q")));
  EXPECT_THAT(found, Contains(HasSubstr("shorten the context to")));
  EXPECT_THAT(found, Contains(HasSubstr("--gpu-layers")));
  const auto too_small = remedies(testing::llama3_8b(), with_context(8192), {{2_GiB}});
  ASSERT_EQ(too_small.size(), 1U);
  EXPECT_THAT(too_small[0], HasSubstr("--gpu-layers")) << "neither cache nor context suffice";
  EXPECT_THAT(remedies(testing::qwen3_235b(), with_context(8192), {{24_GiB}}), Contains(HasSubstr("--n-cpu-moe")));
}

}  // namespace
}  // namespace dualgpuopt::memory
