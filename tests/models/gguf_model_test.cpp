#include <gmock/gmock.h>

#include "dualgpuopt/memory/models/model_source.h"
#include "models/gguf_writer.h"
#include "models/shapes.h"

namespace dualgpuopt::memory {
namespace {

using testing::GgufWriter;
using ::testing::HasSubstr;
using testing::TemporaryFile;

Result<ModelShape> shape_in(const GgufWriter& writer) {
  const TemporaryFile file("m.gguf");
  writer.write(file.path());
  const auto header = read_gguf(file.path());
  if (!header) return fail(header.error());
  return shape_of(*header);
}

GgufWriter llama() {
  GgufWriter writer;
  writer.text("general.architecture", "llama").text("general.name", "Llama 3 8B");
  writer.number("llama.block_count", 32).number("llama.embedding_length", 4096).number("llama.context_length", 8192);
  writer.number("llama.attention.head_count", 32).number("llama.attention.head_count_kv", 8);
  writer.number("llama.feed_forward_length", 14336).number("llama.vocab_size", 128256);
  return writer;
}

TEST(GgufShape, IsTheSameAsFromALog) {
  const auto shape = shape_in(llama());
  ASSERT_TRUE(shape) << shape.error().describe();
  EXPECT_EQ(*shape, testing::llama3_8b().shape);
}

TEST(GgufShape, TakesOneNumberForEachLayer) {
  GgufWriter writer;
  writer.text("general.architecture", "x").number("x.block_count", 2).number("x.embedding_length", 64);
  writer.numbers("x.attention.head_count", {4, 8}).numbers("x.attention.head_count_kv", {2, 0});
  const auto shape = shape_in(writer);
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->layers[0].kv_heads, 2U);
  EXPECT_EQ(shape->layers[1].cache, LayerCache::None);
  EXPECT_THAT(shape_in(writer.numbers("x.feed_forward_length", {1})).error().describe(),
              HasSubstr("the key x.feed_forward_length has 1 numbers for 2 layers"));
}

TEST(GgufShape, HasHeads) {
  GgufWriter writer;
  writer.text("general.architecture", "x").number("x.block_count", 2).number("x.embedding_length", 64);
  EXPECT_THAT(shape_in(writer).error().describe(), HasSubstr("the key x.attention.head_count is missing"));
  EXPECT_THAT(shape_in(writer.number("x.attention.head_count", 0)).error().describe(),
              HasSubstr("the key x.attention.head_count is no number of at least 1"));
}

TEST(GgufShape, KnowsWindowsAndTheirPattern) {
  auto by_custom = llama();
  by_custom.text("general.architecture", "gemma2")
      .number("gemma2.block_count", 4)
      .number("gemma2.embedding_length", 64);
  by_custom.number("gemma2.attention.head_count", 4).number("gemma2.attention.sliding_window", 4096);
  EXPECT_EQ(shape_in(by_custom)->count(LayerCache::Window), 2U);
  by_custom.numbers("gemma2.attention.sliding_window_pattern", {1, 1, 1, 0});
  EXPECT_EQ(shape_in(by_custom)->count(LayerCache::Window), 3U);
}

TEST(GgufShape, KnowsLayersWithoutACacheOfTheirOwn) {
  auto sharing = llama();
  sharing.number("llama.attention.shared_kv_layers", 12);
  EXPECT_EQ(shape_in(sharing)->count(LayerCache::None), 12U);
  EXPECT_EQ(shape_in(sharing)->unloaded_layers, 0U);
  auto predicting = llama();
  predicting.number("llama.nextn_predict_layers", 1);
  EXPECT_EQ(shape_in(predicting)->count(LayerCache::None), 1U);
  EXPECT_EQ(shape_in(predicting)->unloaded_layers, 1U);
}

TEST(GgufShape, KnowsLatentAttentionByItsHeads) {
  GgufWriter writer;
  writer.text("general.architecture", "deepseek2")
      .number("deepseek2.block_count", 61)
      .number("deepseek2.embedding_length", 7168);
  writer.number("deepseek2.attention.head_count", 128).number("deepseek2.attention.head_count_kv", 1);
  writer.number("deepseek2.attention.key_length", 576).number("deepseek2.attention.value_length", 512);
  writer.number("deepseek2.attention.key_length_mla", 192).number("deepseek2.attention.value_length_mla", 128);
  writer.number("deepseek2.attention.kv_lora_rank", 512).number("deepseek2.attention.q_lora_rank", 1536);
  writer.number("deepseek2.rope.dimension_count", 64).number("deepseek2.feed_forward_length", 18432);
  writer.number("deepseek2.expert_count", 256)
      .number("deepseek2.expert_used_count", 8)
      .number("deepseek2.leading_dense_block_count", 3);
  const auto shape = shape_in(writer);
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->latent, (LatentShape{512, 1536, 64}));
  EXPECT_EQ(shape->layers[0].key_length, 192U);
  EXPECT_EQ(shape->layers[0].kv_heads, 128U);
  EXPECT_EQ(shape->layers[2].feed_forward, 18432U);
  EXPECT_EQ(shape->layers[3].feed_forward, 0U) << "experts from here on";
}

TEST(GgufShape, KnowsLayersWithoutAttention) {
  GgufWriter writer;
  writer.text("general.architecture", "qwen3next")
      .number("qwen3next.block_count", 8)
      .number("qwen3next.embedding_length", 64);
  writer.number("qwen3next.attention.head_count", 4).number("qwen3next.ssm.conv_kernel", 4);
  writer.number("qwen3next.ssm.inner_size", 128)
      .number("qwen3next.ssm.state_size", 16)
      .number("qwen3next.ssm.group_count", 2);
  const auto shape = shape_in(writer);
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->count(LayerCache::State), 6U);
  EXPECT_EQ(shape->state.elements(), 3U * (128 + 2 * 2 * 16) + 16 * 128);
}

TEST(GgufShape, KnowsLayersOfOnePartEach) {
  GgufWriter writer;
  writer.text("general.architecture", "nemotron_h").number("nemotron_h.block_count", 4);
  writer.number("nemotron_h.embedding_length", 64).numbers("nemotron_h.attention.head_count", {0, 0, 4, 0});
  writer.numbers("nemotron_h.attention.head_count_kv", {0, 0, 2, 0});
  writer.numbers("nemotron_h.feed_forward_length", {0, 256, 0, 0}).number("nemotron_h.ssm.conv_kernel", 4);
  writer.number("nemotron_h.ssm.inner_size", 128).number("nemotron_h.ssm.state_size", 16);
  writer.tensor("blk.2.attn_k.weight", {64, 32}, 0).tensor("blk.99999999999999999999999.attn_k.weight", {64, 32}, 0);
  const auto shape = shape_in(writer);
  ASSERT_TRUE(shape) << shape.error().describe();
  EXPECT_EQ(shape->count(LayerCache::State), 2U);
  EXPECT_EQ(shape->layers[1].cache, LayerCache::None) << "a feed-forward part alone";
  EXPECT_EQ(shape->layers[2].cache, LayerCache::Full);
}

TEST(GgufShape, RefusesEncodersWithDecoders) {
  EXPECT_THAT(shape_in(GgufWriter().text("general.architecture", "t5")).error().describe(),
              HasSubstr("has an encoder"));
}

TEST(GgufShape, NamesTheKeyThatIsWrong) {
  EXPECT_THAT(shape_in(GgufWriter()).error().describe(), HasSubstr("the key general.architecture is missing"));
  EXPECT_THAT(shape_in(GgufWriter().text("general.architecture", "x")).error().describe(),
              HasSubstr("the key x.block_count is missing"));
  GgufWriter negative;
  negative.text("general.architecture", "x").number("x.block_count", 1).number("x.embedding_length", 4);
  negative.numbers("x.attention.head_count", {-4});
  EXPECT_THAT(shape_in(negative).error().describe(), HasSubstr("the key x.attention.head_count is -4"));
}

TEST(GgufModel, SaysWhatIsMissingAndWhatIsNotKnown) {
  const TemporaryFile file("m.gguf");
  llama()
      .text("general.architecture", "zebra")
      .number("zebra.block_count", 1)
      .number("zebra.embedding_length", 64)
      .number("zebra.attention.head_count", 4)
      .tensor("token_embd.weight", {64, 1024}, 0)
      .write(file.path());
  const auto model = load_gguf_model(file.path());
  ASSERT_TRUE(model) << model.error().describe();
  EXPECT_THAT(model->notes, ::testing::ElementsAre(HasSubstr("cut off: 256 KiB of its weights"),
                                                   HasSubstr("\"zebra\" is not known")));
}

TEST(GgufModel, IsLoadedWithItsWeights) {
  const TemporaryFile file("m.gguf");
  auto writer = llama();
  writer.tensor("token_embd.weight", {4096, 128256}, 12)
      .tensor("blk.0.attn_q.weight", {4096, 4096}, 12)
      .write(file.path());
  const auto model = load_gguf_model(file.path());
  ASSERT_TRUE(model) << model.error().describe();
  EXPECT_EQ(model->weights.layers.size(), 32U) << "one entry for every layer of the shape";
  EXPECT_GT(model->weights.layers[0], 0U);
  const auto in_file = model->weights.in_file();
  writer.tensor("blk.40.x.weight", {256}, 0).write(file.path());
  const auto more = load_gguf_model(file.path());
  EXPECT_EQ(more->weights.in_file(), in_file + 1024) << "what lies beyond the layers is not lost";
  EXPECT_FALSE(load_gguf_model("/no/such.gguf"));
}

}  // namespace
}  // namespace dualgpuopt::memory
