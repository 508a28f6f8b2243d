// What each layer is made of, in the many ways that config.json tells it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "dualgpuopt/memory/models/model_shape.h"
#include "models/json_numbers.h"

namespace dualgpuopt::memory {

/// Reads one config.json; `numbers` has its errors. Borrows both.
class HfLayers {
 public:
  HfLayers(const nlohmann::json& config, JsonNumbers& numbers);

  /// What is said of layers and not understood, as a sentence; empty where all is.
  [[nodiscard]] std::string note(std::uint64_t layers) const;
  /// What the layer keeps; `shape` has its architecture and window already.
  [[nodiscard]] LayerCache cache(const ModelShape& shape, std::uint64_t layer);
  /// Whether its feed-forward part is a mixture of experts.
  [[nodiscard]] bool has_experts(const ModelShape& shape, std::uint64_t layer);
  /// Whether it has any: layers of Nemotron H are of one part each, and those of Mamba have none.
  [[nodiscard]] bool has_feed_forward(const ModelShape& shape, std::uint64_t layer) const;
  /// Whether it has heads.
  [[nodiscard]] bool has_attention(const ModelShape& shape, std::uint64_t layer) const;

 private:
  /// Of a layer by name ("layer_types"); empty where it is not told so.
  [[nodiscard]] std::string type(std::uint64_t layer) const;
  /// Nemotron H's letter for it, 'M', '-', '*' or 'E'; 0: none.
  [[nodiscard]] char letter(std::uint64_t layer) const;
  [[nodiscard]] std::optional<LayerCache> told_cache(std::uint64_t layer);
  [[nodiscard]] LayerCache windowed(const ModelShape& shape, std::uint64_t layer);

  const nlohmann::json& config_;
  JsonNumbers& numbers_;
  std::string letters_;                // hybrid_override_pattern
  std::string window_letters_;         // sliding_window_pattern, where it is a text
  std::set<std::uint64_t> attentive_;  // attn_layer_indices
  std::set<std::uint64_t> dense_;      // mlp_only_layers
};

}  // namespace dualgpuopt::memory
