#include "dualgpuopt/memory/models/estimate.h"

#include <gmock/gmock.h>

#include <fstream>

#include "models/gguf_writer.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::TemporaryFile;

class EstimateTest : public ::testing::Test {
 protected:
  EstimateTest() {
    std::ofstream(file_.path())
        << R"({"arch": "llama", "model": "Llama 3 8B", "n_layer": 32, "n_embd": 4096, "n_head": 32,
      "n_head_kv": 8, "n_ff": 14336, "n_vocab": 128256, "n_ctx_train": 8192, "file_type": "Q4_K_M"})";
    request_.hparams = file_.path();
  }
  [[nodiscard]] std::string refusal() const {
    const auto estimate = estimate_llamacpp(request_);
    return estimate ? "" : estimate.error().describe();
  }

  TemporaryFile file_{"hparams.json"};
  EstimateRequest request_;
};

TEST_F(EstimateTest, TakesTheContextThatTheModelWasTrainedFor) {
  const auto estimate = estimate_llamacpp(request_);
  ASSERT_TRUE(estimate) << estimate.error().describe();
  EXPECT_EQ(estimate->options.cache.context, 8192U);
  EXPECT_THAT(estimate->missing, IsEmpty()) << "no sizes were given";
}

TEST_F(EstimateTest, SplitsByWhatIsFree) {
  request_.gpus = "24GiB,8GiB";
  const auto estimate = estimate_llamacpp(request_);
  ASSERT_TRUE(estimate);
  EXPECT_EQ(estimate->need[0].layers, 25U);
  EXPECT_EQ(estimate->need[1].layers, 7U);
  EXPECT_EQ(estimate->missing, (std::vector<Bytes>{0, 0}));
  request_.split = "1,1";
  EXPECT_EQ(estimate_llamacpp(request_)->need[0].layers, 17U);
}

TEST_F(EstimateTest, OffersRemediesWhereItDoesNotFit) {
  request_.gpus = "5GiB";
  request_.context = 32768;
  const auto estimate = estimate_llamacpp(request_);
  EXPECT_GT(estimate->missing.at(0), 0U);
  EXPECT_THAT(estimate->remedies, Not(IsEmpty()));
}

TEST_F(EstimateTest, KnowsTheBuilds) {
  EXPECT_EQ(refusal(), "");
  for (const auto* version : {"b5400", "build: 4905 (b1b132ef) with cc 13", "main: build = 3600 (a)",
                              "version: 5000 (b)", "ik", "ik_llama.cpp"}) {
    request_.version = version;
    EXPECT_EQ(refusal(), "") << version;
    EXPECT_TRUE(estimate_llamacpp(request_)->options.cache.full_window) << version;
  }
  request_.version = "9000";
  EXPECT_FALSE(estimate_llamacpp(request_)->options.cache.full_window);
  for (const std::string none : {"new", "v1.2.3", "2024-05-01", "ikea", "build"}) {
    request_.version = none;
    EXPECT_THAT(refusal(), HasSubstr("runtime_version: \"" + none + "\"")) << none;
  }
}

TEST_F(EstimateTest, PadsTheContextAsTheBuildDoes) {
  const auto padding = [&](const std::string& version, bool flash_attention) {
    request_.version = version;
    request_.flash_attention = flash_attention;
    return estimate_llamacpp(request_)->options.cache.padding;
  };
  EXPECT_EQ(padding("b5000", false), 32U);
  EXPECT_EQ(padding("b5000", true), 256U);
  EXPECT_EQ(padding("ik", false), 32U);
  EXPECT_EQ(padding("b7000", false), 256U);
  EXPECT_EQ(padding("", false), 256U);
}

TEST_F(EstimateTest, KeepsLatentAttentionAsTheFileHasIt) {
  const auto options_with = [&](const std::string& heads, const std::string& version, std::optional<int> mode) {
    std::ofstream(file_.path())
        << R"({"arch": "deepseek2", "n_layer": 2, "n_embd": 7168, "n_head": 128, "n_lora_kv": 512,
      "n_rot": 64, "n_ctx_train": 4096, )"
        << heads << "}";
    request_.version = version;
    request_.latent = mode;
    return estimate_llamacpp(request_)->options;
  };
  const std::string every_head = R"("n_head_kv": 128, "n_embd_head_k": 192, "n_embd_head_v": 128)";
  const std::string compressed = R"("n_head_kv": 1, "n_embd_head_k": 576, "n_embd_head_v": 512)";
  EXPECT_EQ(options_with(every_head, "b9000", {}).cache.latent, LatentCache::Expanded);
  EXPECT_EQ(options_with(compressed, "b9000", {}).cache.latent, LatentCache::KeyOnly);
  EXPECT_EQ(options_with(every_head, "ik", 3).cache.latent, LatentCache::KeyOnly);
  EXPECT_EQ(options_with(every_head, "ik", 0).cache.latent, LatentCache::Expanded);
  EXPECT_TRUE(options_with(compressed, "ik", 0).works_on_latent) << "as with 1";
  EXPECT_EQ(options_with(compressed, "ik", 1).cache.latent, LatentCache::KeyOnly) << "with flash attention";
  request_.flash_attention = false;
  EXPECT_EQ(options_with(compressed, "ik", 1).cache.latent, LatentCache::KeyAndValue);
}

TEST_F(EstimateTest, ComputesAsTheBuildDoes) {
  const auto options_of = [&](const std::string& version) {
    request_.version = version;
    return estimate_llamacpp(request_)->options;
  };
  EXPECT_TRUE(options_of("b5700").gates_in_place);
  EXPECT_FALSE(options_of("b6000").gates_in_place);
  EXPECT_FALSE(options_of("b7469").output_first);
  EXPECT_TRUE(options_of("b7470").output_first);
  EXPECT_FALSE(options_of("b9000").half_masks);
  EXPECT_TRUE(options_of("b9500").half_masks);
  EXPECT_TRUE(options_of("b9500").one_output);
}

TEST_F(EstimateTest, TakesWhatLimitsTheScratch) {
  request_.attention_limit = 512;
  request_.host_ops_on_gpu = false;
  request_.pipeline = false;
  const auto options = estimate_llamacpp(request_)->options;
  EXPECT_EQ(options.attention_limit, Bytes{512} << 20);
  EXPECT_FALSE(options.host_ops_on_gpu);
  EXPECT_FALSE(options.pipeline);
  request_.attention_limit = ~std::uint64_t{0};
  EXPECT_GT(*estimate_llamacpp(request_)->options.attention_limit, Bytes{1} << 59) << "no overflow";
}

TEST_F(EstimateTest, SaysWhatStillFits) {
  EXPECT_FALSE(estimate_llamacpp(request_)->limits);
  request_.gpus = "8GiB,4GiB";
  const auto limits = estimate_llamacpp(request_)->limits;
  ASSERT_TRUE(limits && limits->context && limits->split);
  EXPECT_GT(limits->context->amount, 8192U);
  request_.split = limits->split->text();
  const auto split = estimate_llamacpp(request_);
  EXPECT_EQ(split->need[0].layers, limits->split->layers[0]);
  EXPECT_EQ(least_margin(split->need, {split->free}), limits->split->margin);
}

TEST_F(EstimateTest, PlacesTensorsByName) {
  request_.gpus = "2";
  const auto usual = estimate_llamacpp(request_);
  request_.override_tensor = {"blk.[0-3].ffn=CPU", "output=CUDA1"};
  const auto placed = estimate_llamacpp(request_);
  ASSERT_TRUE(placed) << placed.error().describe();
  EXPECT_FALSE(placed->options.pipeline);
  EXPECT_EQ(placed->options.placed.size(), 4U * 3 + 33) << "attn_output too";
  EXPECT_EQ(placed->need[2].weights - usual->need[2].weights,
            usual->need[0].weights - placed->need[0].weights + usual->need[1].weights - placed->need[1].weights);
  EXPECT_GT(placed_bytes(*placed), 0U);
  request_.override_tensor = {"blk.(=CPU"};
  EXPECT_THAT(refusal(), HasSubstr("override_tensor: \"blk.(=CPU\""));
  request_.override_tensor = {"nothing=CPU"};
  EXPECT_FALSE(estimate_llamacpp(request_)->options.pipeline) << "llama.cpp does not look whether anything matches";
}

TEST_F(EstimateTest, NamesTheFieldThatIsWrong) {
  request_.gpus = "many";
  EXPECT_THAT(refusal(), HasSubstr("gpus: "));
  request_.gpus = "1";
  request_.key_type = "q7";
  EXPECT_THAT(refusal(), HasSubstr("kv_type_k: \"q7\""));
  request_.key_type = "f16";
  request_.split = "1,x";
  EXPECT_THAT(refusal(), HasSubstr("split: \"x\""));
  request_.hparams.clear();
  EXPECT_THAT(refusal(), HasSubstr("give a model"));
}

TEST_F(EstimateTest, RefusesWhatLlamaCppRefuses) {
  request_.key_type = "fp8";
  EXPECT_THAT(refusal(), HasSubstr("kv_type_k: llama.cpp has no cache in fp8; expected one of f32, f16"));
  request_.key_type = "f16";
  request_.value_type = "i8";
  EXPECT_THAT(refusal(), HasSubstr("kv_type_v: llama.cpp has no cache in i8"));
  request_.value_type = "f16";
  request_.key_type = "q8_0";
  request_.flash_attention = false;
  EXPECT_EQ(refusal(), "") << "keys may be quantised";
  request_.value_type = "q8_0";
  EXPECT_THAT(refusal(), HasSubstr("kv_type_v: llama.cpp keeps values in q8_0 with flash attention alone"));
}

TEST_F(EstimateTest, NeedsAContextAndOneModel) {
  std::ofstream(file_.path()) << R"({"arch": "llama", "n_layer": 2, "n_embd": 64, "n_head": 4})";
  EXPECT_THAT(refusal(), HasSubstr("context: the model does not tell"));
  request_.context = 512;
  EXPECT_EQ(refusal(), "");
  request_.model = "m.gguf";
  EXPECT_THAT(refusal(), HasSubstr("not both"));
}

TEST_F(EstimateTest, SaysWhatWasAskedForInVain) {
  EXPECT_THAT(estimate_llamacpp(request_)->model.notes, IsEmpty());
  request_.cpu_moe = true;
  request_.override_tensor = {"nothing=CPU"};
  EXPECT_THAT(estimate_llamacpp(request_)->model.notes,
              ::testing::ElementsAre(HasSubstr("no experts"), HasSubstr("no tensor has a name")));
}

TEST_F(EstimateTest, KeepsAllTokensWhereEveryLayerHasAWindow) {
  const TemporaryFile config("config.json");
  std::ofstream(config.path()) << R"({"model_type": "mistral", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "sliding_window": 4096, "max_position_embeddings": 32768})";
  request_.hparams.clear();
  request_.model = config.path();
  EXPECT_EQ(estimate_llamacpp(request_)->need[0].kv_cache, 4_GiB) << "llama.cpp knows no window of Mistral";
  const auto one = estimate_transformers(request_);
  ASSERT_TRUE(one) << one.error().describe();
  EXPECT_EQ(one->need[0].kv_cache, 4095U * 131072);
}

TEST_F(EstimateTest, ForVllmRefusesWhatItRefuses) {
  request_.gpus = "80GiB,80GiB,80GiB";
  EXPECT_THAT(estimate_vllm(request_).error().describe(), HasSubstr("does not divide 32 heads by 3 GPUs"));
  request_.gpus = "80GiB";
  request_.key_type = "q8_0";
  EXPECT_THAT(estimate_vllm(request_).error().describe(), HasSubstr("vLLM has no cache in q8_0"));
  request_.key_type = "fp8";
  EXPECT_TRUE(estimate_vllm(request_));
  request_.gpus = "80GiB,80GiB,80GiB,80GiB";
  EXPECT_TRUE(estimate_vllm(request_)) << "8 key-value heads";
  std::ofstream(file_.path()) << R"({"arch": "phi3", "n_layer": 40, "n_embd": 5120, "n_head": 40, "n_head_kv": 10,
                                     "n_vocab": 32064, "n_ctx_train": 4096})";
  EXPECT_THAT(estimate_vllm(request_).error().describe(), HasSubstr("does not divide 10 key-value heads by 4 GPUs"));
}

TEST_F(EstimateTest, ForVllmSaysWhatItDoesOtherwise) {
  std::ofstream(file_.path()) << R"({"arch": "starcoder", "n_layer": 4, "n_embd": 6144, "n_head": 48, "n_head_kv": 1,
    "n_ff": 24576, "n_vocab": 49152, "n_ctx_train": 8192, "file_type": "f32"})";
  request_.gpus = "80GiB";
  request_.context = 16384;
  const auto estimate = estimate_vllm(request_);
  ASSERT_TRUE(estimate) << estimate.error().describe();
  EXPECT_THAT(estimate->model.notes,
              ::testing::ElementsAre(HasSubstr("trained for 8192 tokens"), HasSubstr("32 bits as 16 bits")));
  EXPECT_NEAR(static_cast<double>(estimate->model.weights.in_file()), 2 * estimate->model.weights.parameters, 1e6);
}

TEST_F(EstimateTest, TakesNumbersWithUnitsForGpus) {
  request_.gpus = "24,24";
  EXPECT_THAT(refusal(), HasSubstr("\"24\" is 24 B, which is no GPU's memory; give a unit"));
  request_.gpus = "0GiB";
  EXPECT_THAT(refusal(), HasSubstr("no GPU's memory"));
  request_.gpus = "2";
  request_.split = "1e308,1e308";
  EXPECT_THAT(refusal(), HasSubstr("shares of a split"));
}

TEST_F(EstimateTest, ForVllmTakesTheSmallestGpu) {
  request_.gpus = "80GiB,24GiB";
  const auto estimate = estimate_vllm(request_);
  ASSERT_TRUE(estimate) << estimate.error().describe();
  EXPECT_EQ(estimate->options.total, 24_GiB);
  EXPECT_EQ(estimate->options.parallel, 2U);
  EXPECT_TRUE(estimate->fits());
  EXPECT_EQ(estimate->missing(), 0U);
  request_.gpus = "2";
  EXPECT_THAT(estimate_vllm(request_).error().describe(), HasSubstr("the size of the GPUs"));
}

}  // namespace
}  // namespace dualgpuopt::memory
