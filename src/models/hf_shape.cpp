#include "models/hf_shape.h"

#include <algorithm>

#include "models/architectures.h"
#include "models/hf_layers.h"
#include "models/shape_defaults.h"

namespace dualgpuopt::memory {
namespace {

using Json = nlohmann::json;

/// The names that transformers' families have for one dimension (`attribute_map` in their configurations), today's
/// first.
using Names = std::initializer_list<const char*>;
constexpr Names kEmbedding{"hidden_size", "n_embd", "n_embed", "d_model"};
constexpr Names kLayers{"num_hidden_layers", "n_layer", "n_layers", "num_layers"};
constexpr Names kHeads{"num_attention_heads", "n_head", "n_heads", "num_heads"};
constexpr Names kKvHeads{"num_key_value_heads",   "num_kv_heads",     "n_head_kv",
                         "multi_query_group_num", "num_query_groups", "kv_n_heads"};
constexpr Names kHeadLength{"head_dim", "attention_head_dim", "kv_channels"};
/// Llama 4's second width is that of the experts, and Granite 4 has its dense part under a name of its own.
constexpr Names kFeedForward{
    "intermediate_size_mlp", "shared_intermediate_size", "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"};
constexpr Names kContext{"max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"};
constexpr Names kVocabulary{"vocab_size", "padded_vocab_size"};
constexpr Names kExperts{"num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts",
                         "moe_num_primary_experts"};
constexpr Names kExpertsUsed{
    "num_experts_per_tok",           "experts_per_token", "moe_k", "moe_topk", "moe_top_k", "top_k_experts",
    "moe_num_active_primary_experts"};
constexpr Names kExpertWidth{"moe_intermediate_size", "moe_ffn_hidden_size", "intermediate_size", "ffn_hidden_size"};
constexpr Names kShared{"n_shared_experts", "num_shared_experts", "moe_num_shared_experts"};
constexpr Names kConvolution{"mamba_d_conv", "conv_kernel", "linear_conv_kernel_dim"};
constexpr Names kState{"mamba_d_state", "ssm_state_size", "state_size"};
constexpr Names kGroups{"mamba_n_groups", "n_groups"};
constexpr Names kRank{"mamba_dt_rank", "time_step_rank"};

/// Qwen's tell windows, and use them only where that is said (Qwen2Config).
std::uint64_t window_of(const Json& config, JsonNumbers& numbers) {
  const bool is_qwen = numbers.has("use_sliding_window") || numbers.has("max_window_layers");
  return is_qwen && !is_set(config, "use_sliding_window")
             ? 0
             : numbers.first_of({"sliding_window", "attention_chunk_size"});
}

/// Of the experts that every token uses, together. Gemma 4 has a dense part beside the experts.
std::uint64_t shared_width(const ModelShape& shape, JsonNumbers& numbers) {
  if (std::any_of(kShared.begin(), kShared.end(), [&](const char* key) { return numbers.has(key); }))
    return numbers.first_of(kShared) * numbers.count("moe_shared_expert_intermediate_size", shape.experts.feed_forward);
  if (shape.architecture == "gemma4") return numbers.count("intermediate_size");
  return numbers.first_of({"shared_intermediate_size", "shared_expert_intermediate_size"},
                          customary_shared_experts(shape) * shape.experts.feed_forward);
}

void set_experts(ModelShape& shape, JsonNumbers& numbers) {
  const auto count = numbers.first_of(kExperts);
  if (count == 0) return;
  shape.experts = {count, numbers.first_of(kExpertsUsed), numbers.first_of(kExpertWidth), 0};
  shape.experts.shared_feed_forward = shared_width(shape, numbers);
}

/// Families from before grouped queries have one head of keys for all (falcon with its first architecture, starcoder),
/// or one for each.
std::uint64_t kv_heads_of(const Json& config, JsonNumbers& numbers, std::uint64_t heads) {
  const bool is_single = is_set(config, "multi_query") && !is_set(config, "new_decoder_architecture");
  return is_single ? 1 : numbers.first_of(kKvHeads, heads);
}

void set_heads(LayerShape& layer, const Json& config, const ModelShape& shape, JsonNumbers& numbers) {
  layer.heads = numbers.required(kHeads);
  layer.kv_heads = kv_heads_of(config, numbers, layer.heads);
  const auto head_length = layer.heads == 0 ? 0 : shape.embedding / layer.heads;
  layer.key_length = layer.value_length = numbers.first_of(kHeadLength, head_length);
  if (shape.latent.rank > 0) {
    layer.key_length = numbers.count("qk_nope_head_dim") + shape.latent.rope;
    layer.value_length = numbers.count("v_head_dim", layer.key_length);
    layer.kv_heads = layer.heads;
  }
}

/// Gemma 4 has fewer and longer heads where all tokens are kept.
void set_global_heads(LayerShape& layer, JsonNumbers& numbers) {
  if (layer.cache != LayerCache::Full) return;
  layer.kv_heads = numbers.count("num_global_key_value_heads", layer.kv_heads);
  layer.key_length = numbers.count("global_head_dim", layer.key_length);
  layer.value_length = numbers.count("global_head_dim", layer.value_length);
}

LayerShape layer_of(HfLayers& layers, const Json& config, const ModelShape& shape, JsonNumbers& numbers,
                    std::uint64_t i) {
  const std::uint64_t halves = shape.architecture == "qwen" ? 2 : 1;  // the first Qwen tells gate and way up together
  constexpr std::uint64_t customary_width = 4;  // where a family has no key for it, or leaves it empty
  LayerShape layer;
  layer.cache = layers.cache(shape, i);
  if (layers.has_attention(shape, i)) {
    set_heads(layer, config, shape, numbers);
    set_global_heads(layer, numbers);
  }
  layer.has_experts = layers.has_experts(shape, i);
  if (layers.has_feed_forward(shape, i) && !layer.has_experts)
    layer.feed_forward = numbers.first_of(kFeedForward, customary_width * shape.embedding) / halves;
  layer.indexer_length = customary_indexer_length(shape, i);
  return layer;
}

/// The last layers use the caches of earlier ones (Gemma 3n and small Gemmas 4).
void share_caches(ModelShape& shape, std::uint64_t shared) {
  const auto own = shape.layers.size() - std::min<std::uint64_t>(shared, shape.layers.size());
  for (auto i = own; i < shape.layers.size(); ++i) shape.layers[i].cache = LayerCache::None;
}

/// Of gated delta nets.
StateShape linear_state(JsonNumbers& numbers) {
  const auto inner = numbers.count("linear_num_value_heads") * numbers.count("linear_value_head_dim");
  return {numbers.first_of(kConvolution), inner, numbers.count("linear_key_head_dim"),
          numbers.count("linear_num_key_heads"), 0};
}

/// Of Mamba: its width is told by heads, or so many times the embedding's.
std::uint64_t mamba_width(const ModelShape& shape, JsonNumbers& numbers) {
  if (numbers.has("mamba_num_heads")) return numbers.count("mamba_num_heads") * numbers.count("mamba_head_dim");
  if (shape.architecture == "mamba" && numbers.has("intermediate_size")) return numbers.count("intermediate_size");
  return numbers.first_of({"mamba_expand", "expand"}, 2) * shape.embedding;
}

/// "auto" is a sixteenth of the embedding, rounded up (MambaConfig).
std::uint64_t mamba_rank(const Json& config, const ModelShape& shape, JsonNumbers& numbers) {
  constexpr std::uint64_t part = 16;
  for (const auto* key : kRank) {
    if (text_at(config, key) == "auto") return (shape.embedding + part - 1) / part;
  }
  return numbers.first_of(kRank);
}

StateShape state_of(const Json& config, const ModelShape& shape, JsonNumbers& numbers) {
  if (shape.count(LayerCache::State) == 0) return {};
  const auto states = numbers.first_of(kState);
  if (states == 0) return completed_state(shape.architecture, linear_state(numbers));
  return {numbers.first_of(kConvolution), mamba_width(shape, numbers), states, numbers.first_of(kGroups),
          mamba_rank(config, shape, numbers)};
}

/// What published files leave out because transformers' class has it: small Gemmas 3 tell neither heads nor words
/// (Gemma3TextConfig).
Json class_defaults(const std::string& model_type) {
  if (model_type != "gemma3_text") return Json::object();
  return {{"num_attention_heads", 8}, {"num_key_value_heads", 4},          {"head_dim", 256},
          {"vocab_size", 262208},     {"max_position_embeddings", 131072}, {"sliding_window", 4096}};
}

/// Under the names that families with eyes and ears have for it; Qwen's Omni has it one deeper.
const Json& language_part(const Json& config) {
  for (const auto* part : {"text_config", "llm_config", "language_config"}) {
    if (config.contains(part) && config.at(part).is_object()) return config.at(part);
  }
  const bool is_deeper = config.contains("thinker_config") && config.at("thinker_config").is_object();
  return is_deeper ? language_part(config.at("thinker_config")) : config;
}

}  // namespace

Json text_part(const Json& config) {
  const auto& told = language_part(config);
  auto text = class_defaults(text_at(told, "model_type"));
  text.update(told);
  for (const auto* part : {"attn_config", "ffn_config"}) {  // of DBRX and MPT
    if (told.contains(part) && told.at(part).is_object()) text.update(told.at(part));
  }
  return text;
}

ModelShape shape_of(const Json& text, JsonNumbers& numbers) {
  ModelShape shape;
  shape.architecture = gguf_architecture(text_at(text, "model_type"));
  shape.embedding = numbers.required(kEmbedding);
  shape.vocabulary = numbers.first_of(kVocabulary);
  shape.context = numbers.first_of(kContext);
  shape.window = window_of(text, numbers);
  shape.layer_embedding = numbers.count("hidden_size_per_layer_input");
  set_experts(shape, numbers);
  if (numbers.count("kv_lora_rank") > 0)
    shape.latent = {numbers.count("kv_lora_rank"), numbers.count("q_lora_rank"), numbers.count("qk_rope_head_dim")};
  const auto count = numbers.layers(kLayers);
  HfLayers layers(text, numbers);
  for (std::uint64_t i = 0; i < count && numbers.error().empty(); ++i)
    shape.layers.push_back(layer_of(layers, text, shape, numbers, i));
  share_caches(shape, numbers.count("num_kv_shared_layers"));
  shape.state = state_of(text, shape, numbers);
  shape.gated_queries = customary_attention_interval(shape.architecture) > 0;
  return shape;
}

}  // namespace dualgpuopt::memory
