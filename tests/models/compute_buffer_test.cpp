#include "models/compute_buffer.h"

#include <gmock/gmock.h>

#include "models/shapes.h"

// The figures are what llama.cpp b9014 and b11327 reserve for these dimensions on GPUs of a back-end that allocates
// nothing, and what published logs print.
namespace dualgpuopt::memory {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;
using testing::mib;

constexpr ComputePlace kOnlyGpu{.has_output = true};
constexpr ComputePlace kMiddleGpu{.is_first = false};

LlamaCppOptions with_context(std::uint64_t tokens) {
  LlamaCppOptions options;
  options.cache.context = tokens;
  return options;
}

double scratch(const Model& model, const LlamaCppOptions& options, const ComputePlace& place) {
  return mib(compute_buffer(model.shape, options, place));
}

/// Within a tenth.
auto about(double printed) { return AllOf(Ge(0.9 * printed), Le(1.1 * printed)); }

/// Qwen 3.5 122B A10B.
Model qwen35_122b() {
  return *parse_hparams(R"({"arch": "qwen35moe", "n_layer": 48, "n_embd": 3072, "n_head": 32, "n_head_kv": 2,
    "n_embd_head_k": 256, "n_embd_head_v": 256, "n_ff_exp": 1024, "n_vocab": 248320, "n_expert": 256,
    "n_expert_used": 8, "file_type": "Q4_K_M"})");
}

TEST(ComputeBuffer, OfTheForksLatentAttentionIsPrintedSo) {
  auto options = with_context(16384);
  options.fork = LlamaCppFork::Ik;
  options.works_on_latent = true;
  EXPECT_THAT(scratch(testing::deepseek_r1(), options, kMiddleGpu), about(394)) << "with flash attention";
}

TEST(ComputeBuffer, WithoutGatesIsSmaller) {
  const auto falcon = parse_hparams(R"({"arch": "falcon", "n_layer": 32, "n_embd": 4544, "n_head": 71, "n_head_kv": 1,
    "n_ff": 18176, "n_vocab": 65024})");
  const auto place = kMiddleGpu;
  EXPECT_NEAR(scratch(*falcon, with_context(512), place), 512 * 4 * (18176 + 3 * 4544 + 256) / testing::kMiB, 0.1);
}

TEST(ComputeBuffer, IsTheLogitsWhereContextsAreShort) {
  EXPECT_NEAR(scratch(testing::llama3_8b(), with_context(4096), kOnlyGpu), 258.5, 0.1);
  EXPECT_LT(scratch(testing::llama3_8b(), with_context(4096), {}), 130) << "the logits lie elsewhere";
  auto options = with_context(4096);
  options.one_output = true;
  EXPECT_LT(scratch(testing::llama3_8b(), options, kOnlyGpu), 130) << "one token's";
}

TEST(ComputeBuffer, IsTheScoresOfAllHeadsWithoutFlashAttention) {
  auto options = with_context(32768);
  options.flash_attention = false;
  EXPECT_THAT(scratch(testing::llama3_8b(), options, kOnlyGpu), about(2148));
  EXPECT_THAT(scratch(testing::qwen3_235b(), options, kOnlyGpu), about(4210));
}

TEST(ComputeBuffer, IsTheFeedForwardPartWithFlashAttention) {
  for (const auto& [context, printed] : {std::pair{4096, 104.0}, {16384, 116.0}, {65536, 164.0}})
    EXPECT_THAT(scratch(testing::llama3_8b(), with_context(context), kMiddleGpu), about(printed)) << context;
  for (const auto& [context, printed] : {std::pair{4096, 118.0}, {16384, 130.0}, {65536, 178.0}})
    EXPECT_THAT(scratch(qwen35_122b(), with_context(context), kMiddleGpu), about(printed)) << context;
}

TEST(ComputeBuffer, WasLessWhereGatesWorkInPlace) {
  const auto model = *parse_hparams(R"({"arch": "llama", "n_layer": 32, "n_embd": 4096, "n_head": 32, "n_ff": 11008,
    "n_vocab": 32000, "file_type": "F16"})");
  auto options = with_context(512);
  EXPECT_THAT(scratch(model, options, kOnlyGpu), about(88.5));
  options.gates_in_place = true;
  options.flash_attention = false;
  EXPECT_THAT(scratch(model, options, kOnlyGpu), about(70.5)) << "published";
}

/// b9014.
LlamaCppOptions with_whole_masks(std::uint64_t tokens) {
  auto options = with_context(tokens);
  options.half_masks = false;
  return options;
}

TEST(ComputeBuffer, HasTheMasksTwiceOnTheFirstGpuWhereTheyAreWhole) {
  for (const auto& [context, printed] : {std::pair{4096, 112.0}, {16384, 140.0}, {65536, 224.0}})
    EXPECT_THAT(scratch(testing::llama3_8b(), with_whole_masks(context), {}), about(printed)) << context;
  EXPECT_THAT(scratch(testing::llama3_8b(), with_context(65536), {}), about(172)) << "half masks";
}

TEST(ComputeBuffer, KeepsInputsFourTimesInAPipeline) {
  constexpr ComputePlace first{.is_pipelined = true};
  constexpr ComputePlace middle{.is_first = false, .is_pipelined = true};
  constexpr ComputePlace last{.is_first = false, .has_output = true, .is_pipelined = true};
  const auto model = testing::llama3_8b();
  for (const auto& [context, on_first, on_middle, on_last] :
       {std::tuple{4096, 176.0, 188.0, 338.6}, {16384, 276.0, 236.0, 386.6}, {65536, 716.0, 428.0, 578.6}}) {
    EXPECT_THAT(scratch(model, with_whole_masks(context), first), about(on_first)) << context;
    EXPECT_THAT(scratch(model, with_whole_masks(context), middle), about(on_middle)) << context;
    EXPECT_THAT(scratch(model, with_whole_masks(context), last), about(on_last)) << context;
  }
  EXPECT_THAT(scratch(model, with_context(32768), first), about(268)) << "half masks";
}

TEST(ComputeBuffer, HasAMaskForEachKindOfCache) {
  const auto model = *parse_hparams(R"({"arch": "gpt-oss", "n_layer": 24, "n_embd": 2880, "n_head": 64, "n_head_kv": 8,
    "n_embd_head_k": 64, "n_embd_head_v": 64, "n_ff_exp": 2880, "n_vocab": 201088, "n_expert": 32, "n_expert_used": 4,
    "n_swa": 128, "file_type": "Q8_0"})");
  auto options = with_context(32768);
  const auto windowed = scratch(model, options, kMiddleGpu);
  options.cache.full_window = true;
  EXPECT_NEAR(scratch(model, options, kMiddleGpu) - windowed, 32 - 0.75, 0.01) << "in f16";
}

TEST(ComputeBuffer, HasRoomForWeightsFromHostMemory) {
  constexpr Bytes matrix = Bytes{1536} << 20;
  EXPECT_THAT(scratch(testing::qwen3_235b(), with_context(4096), {.has_output = true, .staged = matrix}), about(1652));
  auto options = with_context(4096);
  options.gpus = 2;
  options.cache.micro_batch = 2048;
  EXPECT_THAT(scratch(testing::qwen3_235b(), options, {.staged = matrix}), about(3105)) << "two matrices";
  EXPECT_THAT(scratch(qwen35_122b(), with_context(4096), {.has_output = true, .staged = matrix}), about(3105))
      << "two, for the layers with a state";
  constexpr Bytes output = Bytes{1002} << 20;
  EXPECT_THAT(scratch(testing::llama3_8b(), with_context(4096), {.staged_output = output}), about(1260.5));
}

TEST(ComputeBuffer, KeepsLatentAttentionLatent) {
  EXPECT_THAT(scratch(testing::deepseek_r1(), with_context(4096), {}), about(376));
  auto options = with_context(16384);
  options.cache.micro_batch = 1024;
  EXPECT_THAT(scratch(testing::deepseek_r1(), options, kMiddleGpu), about(788)) << "published, on four GPUs";
  options = with_context(32768);
  options.flash_attention = false;
  EXPECT_THAT(scratch(testing::deepseek_r1(), options, kOnlyGpu), about(8634));
}

TEST(ComputeBuffer, HoldsTheMatricesOfUpAndGateInTheFork) {
  auto options = with_context(32768);
  options.fork = LlamaCppFork::Ik;
  options.cache.micro_batch = 2048;
  EXPECT_THAT(scratch(testing::deepseek_r1(), options, {.staged = Bytes{1906} << 20}), about(4252)) << "as printed";
  EXPECT_THAT(scratch(testing::deepseek_r1(), options, {.staged = Bytes{2016} << 20}), about(4472)) << "as printed";
}

TEST(ComputeBuffer, LeavesExpertsToTheFirstGpuInTheFork) {
  LlamaCppOptions options = with_context(65536);
  options.fork = LlamaCppFork::Ik;
  options.cache.micro_batch = 4096;
  options.gpus = 2;
  options.gpu_layers = 63;
  options.host_expert_layers = 94;
  EXPECT_THAT(mib(llamacpp_need(testing::qwen3_235b(), options)[1].compute), about(896));
  options.host_expert_layers = 60;
  EXPECT_THAT(mib(llamacpp_need(testing::qwen3_235b(), options)[1].compute), about(1664)) << "it has some of its own";
  options.host_expert_layers = 94;
  options.fork = LlamaCppFork::Mainline;
  EXPECT_GT(mib(llamacpp_need(testing::qwen3_235b(), options)[1].compute), 1500) << "as dry runs have it";
}

TEST(ComputeBuffer, ExpandsTheLatentCacheInParts) {
  struct Published {
    std::uint64_t context, micro_batch, limit;
    double printed;
  };
  for (const auto& log : {Published{32768, 512, 512, 3425},
                          {32768, 2048, 512, 3588},
                          {32768, 4096, 512, 4104},
                          {65536, 512, 512, 6081},
                          {2048, 512, 512, 503},
                          {16384, 1024, 0, 3362}}) {
    auto options = with_context(log.context);
    options.fork = LlamaCppFork::Ik;
    options.cache.micro_batch = log.micro_batch;
    options.attention_limit = log.limit << 20;
    EXPECT_THAT(scratch(testing::deepseek_r1(), options, kMiddleGpu), about(log.printed)) << log.printed;
  }
}

TEST(ComputeBuffer, OfAModelWithoutLayersIsEmpty) {
  EXPECT_EQ(compute_buffer({}, with_context(4096), kOnlyGpu), 0U);
  EXPECT_EQ(host_inputs({}, with_context(4096), false), 0U);
}

TEST(HostInputs, AreTokensAndMasks) {
  EXPECT_EQ(mib(host_inputs(testing::llama3_8b().shape, with_whole_masks(8192), false)), 24) << "as printed";
  EXPECT_EQ(mib(host_inputs(testing::llama3_8b().shape, with_whole_masks(8192), true)), 8 + 4 * 16);
  EXPECT_EQ(mib(host_inputs(testing::llama3_8b().shape, with_context(8192), false)), 8 + 8);
}

TEST(Pipeline, NeedsEverythingOnSeveralGpus) {
  const auto shape = testing::llama3_8b().shape;
  auto options = with_context(4096);
  EXPECT_FALSE(is_pipelined(shape, options)) << "one GPU";
  options.gpus = 2;
  EXPECT_TRUE(is_pipelined(shape, options));
  const auto without = [&](auto change) {
    auto changed = options;
    change(changed);
    return is_pipelined(shape, changed);
  };
  EXPECT_FALSE(without([](auto& changed) { changed.gpu_layers = 32; })) << "the output lies in host memory";
  EXPECT_FALSE(without([](auto& changed) { changed.host_expert_layers = 1; }));
  EXPECT_FALSE(without([](auto& changed) { changed.mode = SplitMode::Row; }));
  EXPECT_FALSE(without([](auto& changed) { changed.fork = LlamaCppFork::Ik; }));
  EXPECT_FALSE(without([](auto& changed) { changed.pipeline = false; }));
}

TEST(Staging, NeedsLargeBatches) {
  const auto shape = testing::qwen3_235b().shape;
  auto options = with_context(4096);
  options.cache.micro_batch = 31;
  EXPECT_FALSE(stages_weights(options));
  options.cache.micro_batch = 32;
  EXPECT_TRUE(stages_weights(options));
  EXPECT_TRUE(stages_experts(shape, options));
  options.host_ops_on_gpu = false;
  EXPECT_FALSE(stages_weights(options));
  EXPECT_FALSE(stages_experts(shape, options));
  options.host_ops_on_gpu = true;
  options.fork = LlamaCppFork::Ik;
  options.cache.micro_batch = 512;
  EXPECT_FALSE(stages_experts(shape, options)) << "32 tokens for each of 128 experts, 8 of them used";
  options.cache.micro_batch = 2048;
  EXPECT_TRUE(stages_experts(shape, options));
}

}  // namespace
}  // namespace dualgpuopt::memory
