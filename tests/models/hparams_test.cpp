#include <gmock/gmock.h>

#include "core/format.h"
#include "dualgpuopt/memory/models/model_source.h"
#include "models/gguf_writer.h"
#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string refusal(const std::string& json) {
  const auto model = parse_hparams(json);
  return model ? "it was read" : model.error().describe();
}

TEST(Hparams, MayLieInARecordOfALog) {
  const auto model = parse_hparams(
      R"~({"arch": "llama", "model": "Llama 3 8B", "file_type": "Q4_K - Medium", "gpu_count": 1,
           "model_size": "4.58 GiB (4.89 BPW)", "model_params": "8.03 B",
           "hparams": {"n_layer": 32, "n_embd": 4096, "n_head": 32, "n_head_kv": 8, "n_embd_head_k": 128,
                       "n_embd_head_v": 128, "n_ff": 14336, "n_vocab": 128256, "n_ctx_train": 8192, "n_swa": 0,
                       "n_expert": 0}})~");
  ASSERT_TRUE(model) << model.error().describe();
  EXPECT_EQ(model->shape, testing::llama3_8b().shape);
  EXPECT_NEAR(testing::mib(model->weights.in_file()), 4.58 * 1024, 0.1);
}

TEST(Hparams, MayHaveOneNumberForEachLayer) {
  const auto model =
      parse_hparams(R"({"n_layer": 2, "n_embd": 64, "n_head": [4, 8], "n_head_kv": [2, 4], "n_ff": [10, 20]})");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->shape.layers[1].heads, 8U);
  EXPECT_EQ(model->shape.layers[1].kv_heads, 4U);
  EXPECT_EQ(model->shape.layers[1].feed_forward, 20U);
  EXPECT_THAT(refusal(R"({"n_layer": 3, "n_embd": 64, "n_head": [4, 8]})"), HasSubstr("\"n_head\" has 2 numbers"));
}

TEST(Hparams, TellWindowsAndStates) {
  const auto windows =
      parse_hparams(R"({"arch": "gemma4", "n_layer": 48, "n_embd": 3840, "global_layers": 8, "k_gqa_global": 512,
                                         "k_gqa_swa": 2048, "n_swa": 1024})");
  ASSERT_TRUE(windows) << windows.error().describe();
  EXPECT_EQ(windows->shape.count(LayerCache::Window), 40U);
  EXPECT_EQ(windows->shape.layers[0].key_length, 512U);
  EXPECT_EQ(windows->shape.layers[47].key_length, 2048U);
  const auto hybrid =
      parse_hparams(R"({"arch": "qwen35moe", "n_layer": 48, "n_embd": 3072, "n_head": 32, "ssm_d_conv": 4,
                                        "ssm_d_inner": 8192, "ssm_d_state": 128})");
  EXPECT_EQ(hybrid->shape.count(LayerCache::State), 36U);
}

TEST(Hparams, WorkOutTheWidthOfExpertsFromTheParameters) {
  const auto model =
      parse_hparams(R"({"arch": "qwen35moe", "model_params": "122.11 B", "n_layer": 48, "n_embd": 3072, "n_head": 32,
    "n_head_kv": 2, "n_embd_head_k": 256, "n_embd_head_v": 256, "n_ff": 0, "n_vocab": 248320, "n_expert": 256, "n_expert_used": 8})");
  ASSERT_TRUE(model);
  EXPECT_NEAR(static_cast<double>(model->shape.experts.feed_forward), 1024, 32) << "as published";
}

TEST(Hparams, OfFilesMadeForLatentAttentionAreThoseOfEveryHead) {
  const std::string latent = R"("arch": "deepseek2", "n_layer": 61, "n_embd": 7168, "n_head": 128, "n_head_kv": 1,
    "n_embd_head_k": 576, "n_embd_head_v": 512, "n_lora_kv": 512, "n_lora_q": 1536, "n_rot": 64)";
  const auto model = parse_hparams("{" + latent + "}");
  ASSERT_TRUE(model);
  auto layer = testing::deepseek_r1().shape.layers.back();
  layer.has_experts = false;
  EXPECT_EQ(model->shape.layers[0], layer);
  const auto told = parse_hparams("{" + latent + R"(, "n_embd_head_k_mla": 256, "n_embd_head_v_mla": 200})");
  EXPECT_EQ(told->shape.layers[0].key_length, 256U);
  EXPECT_EQ(told->shape.layers[0].value_length, 200U);
}

TEST(Hparams, OfHybridsTellStatesByLayersWithoutKeys) {
  const std::string hybrid = R"({"n_layer": 3, "n_embd": 64, "n_head": 4, "n_head_kv": [0, 2, 0], "n_ff": [0, 0, 8],
    "ssm_d_inner": 128, "ssm_d_state": 16, "ssm_d_conv": 4, "ssm_n_group": 1, "arch": )";
  const auto granite = parse_hparams(hybrid + R"("granitehybrid"})");
  EXPECT_EQ(granite->shape.count(LayerCache::State), 2U);
  EXPECT_EQ(granite->shape.state.inner, 128U);
  const auto nemotron = parse_hparams(hybrid + R"("nemotron_h"})");
  EXPECT_EQ(nemotron->shape.count(LayerCache::State), 1U);
  EXPECT_EQ(nemotron->shape.layers[2].cache, LayerCache::None);
}

TEST(Hparams, MayHaveOtherHeadsInWindows) {
  const auto model = parse_hparams(R"({"arch": "gemma4", "n_layer": 6, "n_embd": 64, "n_head": 4, "n_swa": 1024,
    "n_embd_head_k": 512, "n_embd_head_v": 512, "n_embd_head_k_swa": 256, "n_embd_head_v_swa": 256})");
  EXPECT_EQ(model->shape.layers[0].key_length, 256U);
  EXPECT_EQ(model->shape.layers[5].key_length, 512U);
}

TEST(Hparams, OfUnknownArchitecturesSaySo) {
  const auto notes_of = [](const std::string& arch) {
    return parse_hparams(R"({"n_embd": 64, "n_layer": 1, "n_head": 1)" + arch + "}")->notes;
  };
  EXPECT_THAT(notes_of(R"(, "arch": "llama")"), ::testing::IsEmpty());
  EXPECT_THAT(
      notes_of(R"(, "arch": "whatever")"),
      ::testing::ElementsAre("the architecture \"whatever\" is not known: its layers are taken for those of Llama"));
  EXPECT_THAT(notes_of(""), ::testing::ElementsAre(HasSubstr("the architecture is not told")));
}

TEST(Hparams, OfUnknownNamesSaySo) {
  const auto model = parse_hparams(
      R"({"arch": "llama", "model": "x", "n_embd": 64, "n_layer": 1, "n_head": 4, "n_heads_kv": 1, "rope": 3})");
  EXPECT_THAT(model->notes,
              ::testing::ElementsAre("the hyper-parameter \"n_heads_kv\" is not known, and not looked at"));
  std::string many = R"({"arch": "llama", "n_embd": 64, "n_layer": 1, "n_head": 4)";
  for (int i = 0; i < 1000; ++i) many += format_text(", \"n_x{}\": 1", i);
  EXPECT_EQ(parse_hparams(many + "}")->notes.size(), 5U);
}

TEST(Hparams, NameTheKeyThatIsWrong) {
  EXPECT_THAT(refusal("[]"), HasSubstr("this is not a JSON object"));
  EXPECT_THAT(refusal("{"), HasSubstr("this is not JSON: line 1, column 2: unexpected end of input"));
  EXPECT_THAT(refusal("{}"), HasSubstr("the key \"n_embd\" is missing"));
  EXPECT_THAT(refusal(R"({"n_embd": 64})"), HasSubstr("the key \"n_layer\" is missing"));
  EXPECT_THAT(refusal(R"({"n_embd": -1, "n_layer": 1})"),
              HasSubstr("the key \"n_embd\" is -1: expected a whole number"));
  EXPECT_THAT(refusal(R"({"n_embd": "many", "n_layer": 1})"), HasSubstr("the key \"n_embd\" is \"many\""));
  EXPECT_THAT(refusal(R"({"n_embd": 1.5, "n_layer": 1})"), HasSubstr("the key \"n_embd\" is 1.5"));
  EXPECT_THAT(refusal(R"({"n_embd": 64, "n_layer": 1, "file_type": "Q9"})"),
              HasSubstr("the file type \"Q9\" is not known"));
}

TEST(Hparams, DoNotGrowWithWhatAFileClaims) {
  EXPECT_THAT(refusal(R"({"n_embd": 64, "n_layer": 1000000000, "n_head": 1})"),
              HasSubstr("the key \"n_layer\" is 1000000000: expected 1 to 4096 layers"));
  EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("line 1, column 65: nested more than 64 levels deep"));
}

TEST(Hparams, OfAFileCarryItsName) {
  EXPECT_THAT(load_hparams("/no/such.json").error().describe(), StartsWith("/no/such.json: "));
  const testing::TemporaryFile file("h.json");
  std::ofstream(file.path()) << "no";
  EXPECT_THAT(load_hparams(file.path()).error().describe(), HasSubstr("h.json: this is not JSON: line 1, column 2"));
}

}  // namespace
}  // namespace dualgpuopt::memory
