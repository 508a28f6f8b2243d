
#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/format.h"
#include "dualgpuopt/memory/models/model_source.h"
#include "models/architectures.h"
#include "models/json_numbers.h"
#include "models/saturated.h"
#include "models/shape_defaults.h"

namespace dualgpuopt::memory {
namespace {

using Json = nlohmann::json;

constexpr double kMostElements = 1e12;
constexpr std::size_t kMostNotes = 5;

/// The number at the beginning of "4.58 GiB (4.89 BPW)" and the word after it.
std::optional<std::pair<double, std::string>> quantity(const std::string& text) {
  std::istringstream words(text);
  double amount = 0;
  std::string unit;
  if (!(words >> amount >> unit) || !(amount > 0)) return std::nullopt;
  return std::pair(amount, unit);
}

std::optional<Bytes> file_bytes(const std::string& model_size) {
  const auto size = quantity(model_size);
  if (!size || size->first > kMostElements) return std::nullopt;
  if (size->second == "GiB") return saturated(size->first * 0x1p30);
  if (size->second == "MiB") return saturated(size->first * 0x1p20);
  return std::nullopt;
}

std::optional<double> parameters(const std::string& model_params) {
  const auto count = quantity(model_params);
  if (!count) return std::nullopt;
  if (count->second == "T") return count->first * 1e12;
  if (count->second == "B") return count->first * 1e9;
  if (count->second == "M") return count->first * 1e6;
  return std::nullopt;
}

LayerCache cache_of(const ModelShape& shape, JsonNumbers& numbers, std::uint64_t layer) {
  const auto interval = numbers.count("full_attention_interval", customary_attention_interval(shape.architecture));
  if (interval > 0 && (layer + 1) % interval != 0) return LayerCache::State;
  if (!numbers.has("global_layers")) return customary_cache(shape.architecture, layer, shape.window);
  return layer < numbers.count("global_layers") ? LayerCache::Full : LayerCache::Window;
}

/// Hybrids have no key-value heads where they keep a state; layers of Nemotron H may have a feed-forward part alone.
LayerCache kept_without_heads(const ModelShape& shape, JsonNumbers& numbers, std::uint64_t layer) {
  const bool is_feed_forward = has_layers_of_one_part(shape.architecture) && numbers.at_layer("n_ff", layer) > 0;
  return numbers.count("ssm_d_inner") > 0 && !is_feed_forward ? LayerCache::State : LayerCache::None;
}

/// Files made for latent attention have its one compressed key in the place of the heads'.
bool is_compressed(const ModelShape& shape, const LayerShape& layer) {
  return shape.latent.rank > 0 && layer.kv_heads == 1 && layer.key_length == shape.latent.rank + shape.latent.rope;
}

LayerShape expanded(LayerShape layer, JsonNumbers& numbers) {
  constexpr std::uint64_t key_of_deepseek = 192;
  constexpr std::uint64_t value_of_deepseek = 128;
  layer.kv_heads = layer.heads;
  layer.key_length = numbers.count("n_embd_head_k_mla", key_of_deepseek);
  layer.value_length = numbers.count("n_embd_head_v_mla", value_of_deepseek);
  return layer;
}

LayerShape layer_of(const ModelShape& shape, JsonNumbers& numbers, std::uint64_t i) {
  LayerShape layer;
  layer.cache = cache_of(shape, numbers, i);
  layer.heads = numbers.at_layer("n_head", i);
  layer.kv_heads = numbers.at_layer("n_head_kv", i, layer.heads);
  const auto head_length = layer.heads == 0 ? 0 : shape.embedding / layer.heads;
  layer.key_length = numbers.count("n_embd_head_k", head_length);
  layer.value_length = numbers.count("n_embd_head_v", head_length);
  const bool is_local = layer.cache == LayerCache::Window;
  if (is_local) {
    layer.key_length = numbers.count("n_embd_head_k_swa", layer.key_length);
    layer.value_length = numbers.count("n_embd_head_v_swa", layer.value_length);
  }
  const char* const width = is_local ? "k_gqa_swa" : "k_gqa_global";
  if (numbers.has(width)) {
    layer.kv_heads = 1;
    layer.key_length = layer.value_length = numbers.count(width);
  }
  layer.indexer_length = customary_indexer_length(shape, i);
  if (layer.kv_heads == 0 && layer.cache == LayerCache::Full) layer.cache = kept_without_heads(shape, numbers, i);
  return is_compressed(shape, layer) ? expanded(layer, numbers) : layer;
}

/// Layers with a state are as wide as all heads of those with attention: 4096, 6144 and 8192 of the published models.
std::uint64_t heads_width(const ModelShape& shape) {
  return shape.layers.empty() ? 0 : shape.layers.front().heads * shape.layers.front().key_length;
}

/// Of the experts that every token uses, together.
std::uint64_t shared_width(const ModelShape& shape, JsonNumbers& numbers) {
  const auto count = numbers.count("n_expert_shared", customary_shared_experts(shape));
  return numbers.count("n_ff_shexp", count * shape.experts.feed_forward);
}

ModelShape read_shape(const Json& document, JsonNumbers& numbers) {
  ModelShape shape;
  shape.architecture = text_at(document, "arch");
  shape.name = text_at(document, "model");
  shape.embedding = numbers.required("n_embd");
  shape.vocabulary = numbers.count("n_vocab");
  shape.context = numbers.count("n_ctx_train");
  const auto layers = numbers.layers({"n_layer"});
  shape.window = numbers.has("n_swa") ? numbers.count("n_swa") : customary_window(shape.architecture, layers);
  shape.experts = {numbers.count("n_expert"), numbers.count("n_expert_used"), numbers.count("n_ff_exp"), 0};
  shape.experts.shared_feed_forward = shared_width(shape, numbers);
  if (numbers.count("n_lora_kv") > 0)
    shape.latent = {numbers.count("n_lora_kv"), numbers.count("n_lora_q"), numbers.count("n_rot"),
                    numbers.count("n_head_kv", 1) > 1};
  const auto dense_lead = numbers.count("n_layer_dense_lead", customary_dense_lead(shape, layers));
  const auto with_cache =
      numbers.count("n_layer_kv_from_start", customary_layers_with_cache(shape.architecture, layers));
  shape.unloaded_layers = numbers.count("n_layer_nextn", customary_unloaded_layers(shape.architecture, layers));
  const auto interval = customary_expert_interval(shape);
  for (std::uint64_t i = 0; i < layers && numbers.error().empty(); ++i) {
    auto layer = layer_of(shape, numbers, i);
    const bool has_part = !has_layers_of_one_part(shape.architecture) || numbers.at_layer("n_ff", i) > 0;
    layer.has_experts = has_part && shape.experts.count > 0 && i >= dense_lead && (i + 1) % interval == 0;
    layer.feed_forward = layer.has_experts ? 0 : numbers.at_layer("n_ff", i);
    if (i >= with_cache || i + shape.unloaded_layers >= layers) layer.cache = LayerCache::None;
    shape.layers.push_back(layer);
  }
  const StateShape told{numbers.count("ssm_d_conv"), numbers.count("ssm_d_inner"), numbers.count("ssm_d_state"),
                        numbers.count("ssm_n_group"), numbers.count("ssm_dt_rank")};
  shape.state = completed_state(shape.architecture, told, heads_width(shape));
  shape.layer_embedding = customary_layer_embedding(shape.architecture, layers);
  shape.gated_queries = customary_attention_interval(shape.architecture) > 0;
  return shape;
}

double elements_of(const ModelShape& shape) {
  const auto weights = weights_of(shape, {"f32", std::nullopt, std::nullopt});
  return weights ? static_cast<double>(weights->in_file()) / sizeof(float) : 0;
}

/// The width of an expert, where it is not told, is what the number of parameters leaves for it; else that of the dense
/// part (build_moe_ffn's callers), which the experts of a token share in Qwen's.
void complete_experts(ModelShape& shape, std::uint64_t dense, std::optional<double> parameters) {
  auto& experts = shape.experts;
  if (experts.count == 0 || experts.feed_forward > 0) return;
  if (!parameters) {
    const bool is_of_qwen = shape.architecture == "qwen2moe" || shape.architecture == "qwen3moe";
    experts.feed_forward = is_of_qwen ? dense / std::max<std::uint64_t>(experts.used, 1) : dense;
    return;
  }
  const double without = elements_of(shape);
  experts.feed_forward = 1;
  const double each = elements_of(shape) - without;
  experts.feed_forward = each > 0 && *parameters > without ? saturated(std::round((*parameters - without) / each)) : 0;
}

/// The names that are read, and those that logs print besides.
constexpr std::array kKnown{"n_batch",
                            "n_cls_out",
                            "n_ctx",
                            "n_ctx_orig_yarn",
                            "n_ctx_train",
                            "n_deepstack_layers",
                            "n_embd",
                            "n_embd_head_k",
                            "n_embd_head_k_mla",
                            "n_embd_head_k_swa",
                            "n_embd_head_v",
                            "n_embd_head_v_mla",
                            "n_embd_head_v_swa",
                            "n_embd_inp",
                            "n_embd_k_gqa",
                            "n_embd_out",
                            "n_embd_v_gqa",
                            "n_expert",
                            "n_expert_groups",
                            "n_expert_shared",
                            "n_expert_used",
                            "n_ff",
                            "n_ff_exp",
                            "n_ff_shexp",
                            "n_gqa",
                            "n_group_used",
                            "n_head",
                            "n_head_kv",
                            "n_layer",
                            "n_layer_dense_lead",
                            "n_layer_kv_from_start",
                            "n_layer_nextn",
                            "n_lora_kv",
                            "n_lora_q",
                            "n_merges",
                            "n_no_rope_layer_step",
                            "n_rot",
                            "n_rot_full",
                            "n_rot_swa",
                            "n_seq_max",
                            "n_swa",
                            "n_ubatch",
                            "n_vocab",
                            "ssm_d_conv",
                            "ssm_d_inner",
                            "ssm_d_state",
                            "ssm_dt_b_c_rms",
                            "ssm_dt_rank",
                            "ssm_n_group"};

/// What looks like a hyper-parameter and is none: a slip of the pen would pass for a number that is not told.
std::vector<std::string> unknown_names(const Json& hparams) {
  std::vector<std::string> notes;
  for (const auto& [name, value] : hparams.items()) {
    const bool is_known = std::find(kKnown.begin(), kKnown.end(), name) != kKnown.end();
    if (is_known || !(name.starts_with("n_") || name.starts_with("ssm_"))) continue;
    if (notes.size() == kMostNotes) break;
    notes.push_back(format_text("the hyper-parameter {} is not known, and not looked at", in_quotes(name)));
  }
  return notes;
}

}  // namespace

Result<Model> parse_hparams(std::string_view json) {
  const auto parsed = parse_json_object(json);
  if (!parsed) return fail(parsed.error());
  const auto& document = *parsed;
  const auto& inner =
      document.contains("hparams") && document.at("hparams").is_object() ? document.at("hparams") : document;
  if (has_encoder(text_at(document, "arch"))) return fail(ErrorCode::Unsupported, kNoEncoders);
  JsonNumbers numbers(inner);
  auto shape = read_shape(document, numbers);
  if (!numbers.error().empty()) return fail(ErrorCode::ParseFailed, numbers.error());
  complete_experts(shape, numbers.count("n_ff"), parameters(text_at(document, "model_params")));
  auto weights = weights_of(shape, {text_at(document, "file_type"), file_bytes(text_at(document, "model_size")),
                                    parameters(text_at(document, "model_params"))});
  if (!weights) return fail(std::move(weights.error()));
  auto tensors = tensors_of(shape, *weights, text_at(document, "file_type"));
  auto notes = unknown_names(inner);
  if (!is_known_architecture(shape.architecture)) notes.push_back(unknown_architecture_note(shape.architecture));
  return Model{std::move(shape), *std::move(weights), std::move(tensors), false, false, std::move(notes)};
}

Result<Model> load_hparams(const std::filesystem::path& file) {
  const auto text = read_json_file(file);
  auto model = text ? parse_hparams(*text) : fail(text.error());
  if (!model) return fail(std::move(model.error()).with_context(file.string()));
  return model;
}

}  // namespace dualgpuopt::memory
