// What of a model's architecture decides how much memory it takes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// What a layer keeps of the tokens before: all of them, those of a sliding window, a state of fixed size, or nothing.
enum class LayerCache { Full, Window, State, None };

struct LayerShape {
  LayerCache cache = LayerCache::Full;
  std::uint64_t heads = 0;
  std::uint64_t kv_heads = 0;
  std::uint64_t key_length = 0;      ///< Elements of one head's key,
  std::uint64_t value_length = 0;    ///< and of its value.
  std::uint64_t feed_forward = 0;    ///< Inner width of the dense part; 0: none.
  std::uint64_t indexer_length = 0;  ///< Elements of the key by which sparse attention chooses tokens; 0: none.
  bool has_experts = false;          ///< Instead of the dense part.

  friend bool operator==(const LayerShape&, const LayerShape&) = default;
};

/// Of a mixture of experts.
struct ExpertShape {
  std::uint64_t count = 0;  ///< 0: the model is dense.
  std::uint64_t used = 0;   ///< For each token.
  std::uint64_t feed_forward = 0;
  std::uint64_t shared_feed_forward = 0;  ///< Of the experts that every token uses, together.

  friend bool operator==(const ExpertShape&, const ExpertShape&) = default;
};

/// Multi-head latent attention: one compressed key of `rank` + `rope` elements for all heads.
struct LatentShape {
  std::uint64_t rank = 0;  ///< 0: the model has none.
  std::uint64_t query_rank = 0;
  std::uint64_t rope = 0;
  bool is_expanded =
      false;  ///< The file has every head's keys and values, and llama.cpp keeps them so; its fork does not.

  friend bool operator==(const LatentShape&, const LatentShape&) = default;
};

/// Of layers that keep a state of fixed size instead of tokens: Mamba and gated delta nets.
struct StateShape {
  std::uint64_t convolution = 0;  ///< The kernel's length.
  std::uint64_t inner = 0;        ///< The layer's width; 0: the model has no such layers.
  std::uint64_t state = 0;        ///< Numbers for each element of the width.
  std::uint64_t groups = 0;       ///< Of keys and queries, which go through the convolution too; Mamba 1 has none.
  std::uint64_t rank = 0;         ///< Of the time step; it decides weights in Mamba 1 alone.

  /// That one sequence keeps in one layer of the convolution's past inputs, and of the state (llama-hparams.cpp,
  /// n_embd_r and n_embd_s).
  [[nodiscard]] std::uint64_t past_elements() const;
  [[nodiscard]] std::uint64_t state_elements() const;
  [[nodiscard]] std::uint64_t elements() const { return past_elements() + state_elements(); }

  friend bool operator==(const StateShape&, const StateShape&) = default;
};

/// A model's dimensions. Counts are of elements or layers; 0 where a source does not tell.
struct ModelShape {
  std::string architecture;  ///< As GGUF calls it: "llama", "qwen3moe".
  std::string name;
  std::uint64_t embedding = 0;
  std::uint64_t vocabulary = 0;
  std::uint64_t context = 0;  ///< That it was trained for.
  std::uint64_t window = 0;   ///< Tokens of the sliding window; 0: none.
  std::vector<LayerShape> layers;
  ExpertShape experts;
  LatentShape latent;
  StateShape state;
  std::uint64_t layer_embedding = 0;  ///< Elements that each token has for each layer besides its embedding (Gemma 3n).
  bool gated_queries = false;         ///< The query matrix has a gate for each head besides.
  std::uint64_t unloaded_layers = 0;  ///< Last ones, which are in the file for predicting further tokens alone.

  [[nodiscard]] std::uint64_t heads() const;  ///< The most of any layer.
  [[nodiscard]] std::uint64_t count(LayerCache cache) const;

  friend bool operator==(const ModelShape&, const ModelShape&) = default;
};

/// Which layers have a full cache, by the rules that llama.cpp has for architectures whose files do not say it
/// (llama-model.cpp, set_swa_pattern); `layer` counts from 0. Full where the architecture has no such rule.
[[nodiscard]] LayerCache customary_cache(const std::string& architecture, std::uint64_t layer, std::uint64_t window);
[[nodiscard]] bool has_window_rule(const std::string& architecture);

}  // namespace dualgpuopt::memory
