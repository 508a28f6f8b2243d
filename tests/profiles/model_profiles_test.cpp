#include "dualgpuopt/memory/profiles/model_profiles.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <fstream>

#include "models/gguf_writer.h"
#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;
using testing::llama3_8b;

LlamaCppOptions options_of(std::uint64_t context, std::uint64_t sequences = 1, std::size_t gpus = 1) {
  LlamaCppOptions options;
  options.cache.context = context;
  options.cache.sequences = sequences;
  options.gpus = gpus;
  return options;
}

/// Told a second time: what the estimate says for the GPUs and their contexts.
Bytes need_of(const Model& model, const LlamaCppOptions& options) {
  Bytes sum = 0;
  for (const auto& device : llamacpp_need(model, options)) {
    if (device.gpu && device.layers > 0) sum += device.total() + kTypicalContextOverhead;
  }
  return sum;
}

/// Gemma 3's plan: five layers with a window of 1024, then a full one.
Model windowed() {
  return *parse_hparams(R"({"arch": "gemma3", "n_layer": 12, "n_embd": 2048, "n_head": 8, "n_head_kv": 4,
    "n_embd_head_k": 256, "n_embd_head_v": 256, "n_ff": 8192, "n_vocab": 262144, "n_swa": 1024, "file_type": "Q8_0"})");
}

/// Qwen 3.5's plan: three recurrent layers, then one with attention.
Model recurrent() {
  return *parse_hparams(R"({"arch": "qwen35", "n_layer": 8, "n_embd": 1024, "n_head": 8, "n_head_kv": 2,
    "n_embd_head_k": 128, "n_embd_head_v": 128, "n_ff": 3072, "n_vocab": 32000, "ssm_d_state": 128, "ssm_d_inner": 2048,
    "ssm_d_conv": 4, "ssm_n_group": 16, "full_attention_interval": 4, "file_type": "Q8_0"})");
}

TEST(LlamaCppProfile, OfADenseModelCostsKeysAndValuesForEachToken) {
  const auto model = llama3_8b();
  const auto profile = llamacpp_profile(model, options_of(8192));
  EXPECT_EQ(profile.name, "Llama 3 8B");
  EXPECT_EQ(profile.per_token, 128_KiB) << "32 layers * 8 heads * (128 + 128) * 2 bytes";
  EXPECT_EQ(profile.per_batch, 0U);
  const auto device = llamacpp_need(model, options_of(8192)).front();
  EXPECT_EQ(profile.base, device.weights + device.compute + kTypicalContextOverhead);
}

TEST(LlamaCppProfile, CountsTheScratchThatGrowsWithTheContext) {
  auto options = options_of(65536);
  options.flash_attention = false;
  EXPECT_EQ(llamacpp_profile(llama3_8b(), options).per_token, 128_KiB + 4 * 512 * 33)
      << "the scores of 32 heads and the mask, in f32, for a micro-batch of 512";
}

TEST(LlamaCppProfile, OfSeveralGpusIsTheirSum) {
  const auto model = llama3_8b();
  const auto profile = llamacpp_profile(model, options_of(8192, 1, 3));
  EXPECT_EQ(profile.estimate_usage(1, 8192), need_of(model, options_of(8192, 1, 3)));
  EXPECT_GT(profile.base, llamacpp_profile(model, options_of(8192)).base + 2 * kTypicalContextOverhead);
}

TEST(LlamaCppProfile, LeavesOutHostMemory) {
  auto options = options_of(8192);
  options.gpu_layers = 16;
  const auto half = llamacpp_profile(llama3_8b(), options);
  EXPECT_EQ(half.per_token, 60_KiB) << "of fifteen layers; the output is the sixteenth";
}

TEST(LlamaCppProfile, OfARecurrentModelCostsAStateForEachSequence) {
  const auto model = recurrent();
  ASSERT_EQ(model.shape.count(LayerCache::State), 6U);
  const auto profile = llamacpp_profile(model, options_of(8192));
  EXPECT_EQ(profile.per_batch, 6 * 4 * model.shape.state.elements());
  EXPECT_EQ(profile.estimate_usage(1, 4096), need_of(model, options_of(4096)));
  EXPECT_EQ(profile.estimate_usage(5, 8192), need_of(model, options_of(8192, 5)));
}

TEST(LlamaCppProfile, OfAWindowedModelIsExactAboveTheWindow) {
  const auto model = windowed();
  ASSERT_EQ(model.shape.count(LayerCache::Window), 10U);
  const auto profile = llamacpp_profile(model, options_of(32768));
  EXPECT_EQ(profile.per_token, 2 * 4 * 512 * 2) << "keys and values of the two full layers";
  EXPECT_EQ(profile.per_batch, 10 * 1024 * 4 * 512 * 2) << "a window of every windowed layer";
  for (const std::uint64_t context : {4096, 16384, 32768}) {
    EXPECT_EQ(profile.estimate_usage(1, context), need_of(model, options_of(context))) << context;
  }
  EXPECT_EQ(profile.estimate_usage(3, 32768), need_of(model, options_of(32768, 3)));
  EXPECT_GT(profile.estimate_usage(1, 512), need_of(model, options_of(512))) << "below the window it asks for too much";
}

TEST(LlamaCppProfile, OfAWindowedModelFollowsTheSpanThatIsGiven) {
  const auto model = windowed();
  const auto steep = llamacpp_profile(model, options_of(1024), {256, 1024});
  EXPECT_NEAR(static_cast<double>(steep.estimate_usage(1, 256)), static_cast<double>(need_of(model, options_of(256))),
              1024)
      << "but for a whole byte a token";
  EXPECT_EQ(steep.estimate_usage(1, 1024), need_of(model, options_of(1024)));
  EXPECT_GT(steep.per_token, llamacpp_profile(model, options_of(32768)).per_token);
}

TEST(LlamaCppProfile, TakesAnyContext) {
  const auto model = llama3_8b();
  const auto usual = llamacpp_profile(model, options_of(8192));
  for (const std::uint64_t context : {std::uint64_t{1}, std::uint64_t{255}, std::uint64_t{300}}) {
    EXPECT_EQ(llamacpp_profile(model, options_of(context)).per_token, usual.per_token) << context;
  }
  EXPECT_EQ(llamacpp_profile(model, options_of(8192), {8192, 8192}), usual);
  EXPECT_EQ(llamacpp_profile(model, options_of(8192), {~std::uint64_t{0}, 8192}), usual);
  EXPECT_GT(llamacpp_profile(model, options_of(~std::uint64_t{0})).base, 0U);
}

RC_GTEST_PROP(LlamaCppProfile, IsExactAtItsEnds, ()) {
  const auto model = *rc::gen::element(llama3_8b(), windowed(), recurrent(), testing::deepseek_r1());
  auto options = options_of(256 * *rc::gen::inRange<std::uint64_t>(4, 600), *rc::gen::inRange<std::uint64_t>(1, 9),
                            *rc::gen::inRange<std::size_t>(1, 5));
  options.flash_attention = *rc::gen::arbitrary<bool>();
  const auto high = options.cache.context;
  const auto low = 256 * *rc::gen::inRange<std::uint64_t>(1, high / 256);
  const auto profile = llamacpp_profile(model, options, {low, high});
  if (profile.base == 0) return;  // a line that bends upwards may not reach it
  const auto sequences = options.cache.sequences;
  RC_ASSERT(profile.estimate_usage(sequences, high) == need_of(model, options));
  options.cache.context = low;
  const auto at_low = need_of(model, options);
  const auto estimate = profile.estimate_usage(sequences, low);
  RC_ASSERT(std::max(at_low, estimate) - std::min(at_low, estimate) < high);  // a whole byte a token is rounded
}

TEST(VllmProfile, IsWhatItsNeedSays) {
  VllmOptions options;
  options.total = 80_GiB;
  options.parallel = 2;
  options.context = 8192;
  const auto model = llama3_8b("bf16");
  const auto need = vllm_need(model, options);
  const auto profile = vllm_profile(model, options);
  EXPECT_EQ(profile.per_token, 128_KiB);
  EXPECT_EQ(profile.per_batch, 2 * 8 * 128256U) << "logits and their copy, on both GPUs";
  EXPECT_EQ(profile.estimate_usage(256, 1000),
            2 * (need.weights + need.activations + need.outside + 1000 * need.bytes_per_token));
}

class ProfileOfModel : public ::testing::Test {
 protected:
  ProfileOfModel() {
    std::ofstream(file_.path()) << R"({"arch": "llama", "n_layer": 32, "n_embd": 4096, "n_head": 32, "n_head_kv": 8,
      "n_ff": 14336, "n_vocab": 128256, "n_ctx_train": 8192, "file_type": "Q4_K_M"})";
    request_.estimate.hparams = file_.path();
  }
  [[nodiscard]] std::string refusal() const {
    const auto profile = profile_of_model(request_);
    return profile ? "" : profile.error().describe();
  }

  testing::TemporaryFile file_{"hparams.json"};
  ProfileRequest request_;
};

TEST_F(ProfileOfModel, IsThatOfTheEstimate) {
  const auto profile = profile_of_model(request_);
  ASSERT_TRUE(profile) << profile.error().describe();
  const auto model = llama3_8b();
  EXPECT_EQ(profile->name, "llama") << "the architecture, where there is no name";
  EXPECT_EQ(profile->estimate_usage(1, 8192), need_of(model, options_of(8192)));
  request_.name = "mine";
  EXPECT_EQ(profile_of_model(request_)->name, "mine");
}

TEST_F(ProfileOfModel, ForEitherRuntime) {
  request_.runtime = "vllm";
  EXPECT_THAT(refusal(), HasSubstr("the size of the GPUs"));
  request_.estimate.gpus = "80GiB";
  EXPECT_EQ(profile_of_model(request_)->per_token, 128_KiB);
  request_.runtime = "other";
  EXPECT_EQ(refusal(), "the runtime is \"other\"; expected llama.cpp or vllm");
}

TEST_F(ProfileOfModel, NamesWhatIsWrong) {
  request_.context_low = 8192;
  EXPECT_EQ(refusal(), "context_low: 8192 is not less than the context, 8192");
  request_.context_low = 1024;
  EXPECT_EQ(refusal(), "");
  request_.estimate.gpus = "0";
  EXPECT_EQ(refusal(), "gpus: a profile needs at least one");
  request_.estimate.key_type = "q7";
  EXPECT_THAT(refusal(), HasSubstr("kv_type_k"));
}

}  // namespace
}  // namespace dualgpuopt::memory
