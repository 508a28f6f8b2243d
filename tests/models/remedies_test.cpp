#include <gmock/gmock.h>

#include "dualgpuopt/memory/models/fit.h"
#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

LlamaCppOptions with_context(std::uint64_t tokens, std::size_t gpus = 1) {
  LlamaCppOptions options;
  options.cache.context = tokens;
  options.gpus = gpus;
  return options;
}

TEST(Remedies, OffersWhatWouldHelpAndNothingElse) {
  const auto too_small = remedies(testing::llama3_8b(), with_context(8192), {{2_GiB}});
  EXPECT_THAT(too_small, ElementsAre(HasSubstr("--gpu-layers"))) << "neither cache, context nor file suffice";
  EXPECT_THAT(remedies(testing::qwen3_235b(), with_context(8192), {{24_GiB}}), Contains(HasSubstr("--n-cpu-moe")));
}

TEST(Remedies, ThoseThatCostLeastComeFirst) {
  EXPECT_THAT(remedies(testing::llama3_8b(), with_context(32768), {{8_GiB}}),
              ElementsAre(HasSubstr("--kv-type-k q8_0"), HasSubstr("shorten the context to"),
                          HasSubstr("load a smaller file: Q"), HasSubstr("--gpu-layers")));
}

TEST(Remedies, DealLayersOutOtherwise) {
  auto options = with_context(8192, 2);
  options.split = {1, 1};
  EXPECT_THAT(remedies(testing::llama3_8b(), options, {{5_GiB, 3_GiB}}).front(),
              HasSubstr("deal the layers out otherwise: --split "));
  options.split = {};
  EXPECT_THAT(remedies(testing::llama3_8b(), options, {{2_GiB, 2_GiB}}), Not(Contains(HasSubstr("--split"))));
}

TEST(Remedies, UseAFusedKernel) {
  auto options = with_context(32768);
  options.flash_attention = false;
  EXPECT_THAT(remedies(testing::llama3_8b(), options, {{10_GiB}}).front(), HasSubstr("--flash-attn on"));
}

TEST(Remedies, WorkOnFewerSequences) {
  auto options = with_context(32768);
  EXPECT_THAT(remedies(testing::llama3_8b(), options, {{8_GiB}}), Not(Contains(HasSubstr("--parallel"))));
  options.cache.sequences = 4;
  EXPECT_THAT(remedies(testing::llama3_8b(), options, {{8_GiB}}),
              Contains("work on 3 sequences at once: --parallel 3 --context 24576"));
}

TEST(Remedies, NameAFileThatWouldFit) {
  EXPECT_THAT(remedies(testing::llama3_8b("Q8_0"), with_context(8192), {{8_GiB}}),
              Contains(::testing::MatchesRegex("load a smaller file: Q6_K would have about 6\\.1 GiB .an estimate.")));
}

TEST(Remedies, QuarterTheCacheOnlyWhereHalfIsNotEnough) {
  const auto model = testing::llama3_8b();
  EXPECT_THAT(remedies(model, with_context(65536), {{8_GiB}}).back(), HasSubstr("--kv-type-k q4_0"));
}

}  // namespace
}  // namespace dualgpuopt::memory
