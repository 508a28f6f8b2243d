#include "models/hf_layers.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "core/format.h"
#include "dualgpuopt/memory/core/error.h"
#include "models/shape_defaults.h"

namespace dualgpuopt::memory {
namespace {

struct NamedCache {
  std::string_view type;
  LayerCache cache;
};
/// "layer_types" of transformers, and "layers_block_type" of older hybrids.
constexpr std::array kNamed{
    NamedCache{"full_attention", LayerCache::Full},      NamedCache{"attention", LayerCache::Full},
    NamedCache{"sliding_attention", LayerCache::Window}, NamedCache{"chunked_attention", LayerCache::Window},
    NamedCache{"linear_attention", LayerCache::State},   NamedCache{"mamba", LayerCache::State}};

std::optional<LayerCache> named_cache(const std::string& type) {
  const auto* const found =
      std::find_if(kNamed.begin(), kNamed.end(), [&](const NamedCache& named) { return named.type == type; });
  return found == kNamed.end() ? std::nullopt : std::optional(found->cache);
}

/// Mamba's layers have a state and nothing else.
bool is_mamba(const ModelShape& shape) { return shape.architecture == "mamba" || shape.architecture == "mamba2"; }

/// Of so many in a row the last one.
bool is_last_of(std::uint64_t layer, std::uint64_t interval) { return interval == 0 || (layer + 1) % interval == 0; }

/// Whether every `period`th is meant, the first of them `offset`.
bool is_in_step(std::uint64_t layer, std::uint64_t period, std::uint64_t offset) {
  return period == 0 || layer % period == offset % period;
}

}  // namespace

HfLayers::HfLayers(const nlohmann::json& config, JsonNumbers& numbers)
    : config_(config),
      numbers_(numbers),
      letters_(text_at(config, "hybrid_override_pattern")),
      window_letters_(text_at(config, "sliding_window_pattern")),
      attentive_(numbers.members("attn_layer_indices")),
      dense_(numbers.members("mlp_only_layers")) {}

std::string HfLayers::type(std::uint64_t layer) const {
  const auto name = text_at(config_, "layer_types", layer);
  return name.empty() ? text_at(config_, "layers_block_type", layer) : name;
}

char HfLayers::letter(std::uint64_t layer) const { return layer < letters_.size() ? letters_[layer] : '\0'; }

std::string HfLayers::note(std::uint64_t layers) const {
  if (type(0).empty()) return "";
  for (std::uint64_t i = 0; i < layers; ++i) {
    const auto name = type(i);
    if (name.empty()) return format_text("layer_types names no type of layer {}: the family's custom counts", i);
    if (!named_cache(name))
      return format_text("the type {} of layer {} is not known: it is taken for attention", in_quotes(name), i);
  }
  return "";
}

std::optional<LayerCache> HfLayers::told_cache(std::uint64_t layer) {
  if (const auto named = named_cache(type(layer))) return named;
  if (const char kind = letter(layer); kind != '\0')
    return kind == '*' ? LayerCache::Full : kind == 'M' ? LayerCache::State : LayerCache::None;
  if (numbers_.has("attn_layer_indices")) return attentive_.contains(layer) ? LayerCache::Full : LayerCache::State;
  if (numbers_.has("attn_layer_period")) {
    const bool has_attention =
        is_in_step(layer, numbers_.count("attn_layer_period"), numbers_.count("attn_layer_offset"));
    return has_attention ? LayerCache::Full : LayerCache::State;
  }
  return std::nullopt;
}

/// Families that have a rule of their own follow it, or the period that is told, or its letters, as "LLLG" for three
/// local layers and a global one; Qwen 2 has windows from a layer on; of
/// all others every layer has one (DynamicCache in transformers' cache_utils.py).
LayerCache HfLayers::windowed(const ModelShape& shape, std::uint64_t layer) {
  if (shape.window == 0) return LayerCache::Full;
  if (!window_letters_.empty())
    return window_letters_[layer % window_letters_.size()] == 'L' ? LayerCache::Window : LayerCache::Full;
  if (const auto period = numbers_.count("sliding_window_pattern"); period > 0)
    return is_last_of(layer, period) ? LayerCache::Full : LayerCache::Window;
  if (has_window_rule(shape.architecture)) return customary_cache(shape.architecture, layer, shape.window);
  return layer < numbers_.count("max_window_layers") ? LayerCache::Full : LayerCache::Window;
}

LayerCache HfLayers::cache(const ModelShape& shape, std::uint64_t layer) {
  if (is_mamba(shape)) return LayerCache::State;
  if (const auto told = told_cache(layer))
    return told == LayerCache::Window && shape.window == 0 ? LayerCache::Full : *told;
  const auto interval = numbers_.count("full_attention_interval", customary_attention_interval(shape.architecture));
  if (!is_last_of(layer, interval)) return LayerCache::State;
  return windowed(shape, layer);
}

bool HfLayers::has_experts(const ModelShape& shape, std::uint64_t layer) {
  if (shape.experts.count == 0) return false;
  if (letter(layer) != '\0') return letter(layer) == 'E';
  const auto first = std::max(numbers_.first_of({"first_k_dense_replace", "num_dense_layers"}),
                              numbers_.count("moe_layer_start_index"));
  if (layer < first || dense_.contains(layer)) return false;
  return is_last_of(layer, numbers_.first_of({"decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_interval"},
                                             customary_expert_interval(shape))) &&
         is_in_step(layer, numbers_.count("expert_layer_period"), numbers_.count("expert_layer_offset"));
}

bool HfLayers::has_feed_forward(const ModelShape& shape, std::uint64_t layer) const {
  if (is_mamba(shape)) return false;
  return letter(layer) == '\0' || letter(layer) == '-';
}

bool HfLayers::has_attention(const ModelShape& shape, std::uint64_t layer) const {
  return !is_mamba(shape) && (letter(layer) == '\0' || letter(layer) == '*');
}

}  // namespace dualgpuopt::memory
