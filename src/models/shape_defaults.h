// What the makers of an architecture have settled and files do not repeat.
#pragma once

#include <cstdint>
#include <string>

#include "dualgpuopt/memory/models/model_shape.h"

namespace dualgpuopt::memory {

/// The state as it is told, completed for gated delta nets: without an inner width `customary_inner` is taken, and
/// what all published ones have in common.
[[nodiscard]] StateShape completed_state(const std::string& architecture, StateShape told,
                                         std::uint64_t customary_inner = 0);

/// Of so many layers in a row the last has attention and the others a state; 0: all have attention.
[[nodiscard]] std::uint64_t customary_attention_interval(const std::string& architecture);

/// Tokens of the sliding window, for descriptions that leave it out; 0: none. Small Gemmas have smaller ones.
[[nodiscard]] std::uint64_t customary_window(const std::string& architecture, std::uint64_t layers);

/// First layers with a dense part in a mixture of experts, for descriptions that leave it out.
[[nodiscard]] std::uint64_t customary_dense_lead(const ModelShape& shape, std::uint64_t layers);

/// Experts that every token uses, for descriptions that leave it out.
[[nodiscard]] std::uint64_t customary_shared_experts(const ModelShape& shape);

/// Layers that have a cache of their own; the others use those of earlier layers (Gemma 3n and small Gemmas 4).
[[nodiscard]] std::uint64_t customary_layers_with_cache(const std::string& architecture, std::uint64_t layers);

/// Elements of a layer's key for sparse attention: DeepSeek V3.2 has one in each layer, GLM 5.2 in the first three and
/// in each fourth of the others ("indexer_types" of its config.json; pull request 26474).
[[nodiscard]] std::uint64_t customary_indexer_length(const ModelShape& shape, std::uint64_t layer);

/// Elements that each token has for each layer besides its embedding (Gemma 3n and small Gemmas 4).
[[nodiscard]] std::uint64_t customary_layer_embedding(const std::string& architecture, std::uint64_t layers);

/// Whether each layer has attention, a state or a feed-forward part alone (Nemotron H).
[[nodiscard]] bool has_layers_of_one_part(const std::string& architecture);

/// Last layers that predict further tokens, of which llama.cpp loads nothing (TENSOR_SKIP in glm4-moe.cpp).
[[nodiscard]] std::uint64_t customary_unloaded_layers(const std::string& architecture, std::uint64_t layers);

/// Of so many layers in a row the last has experts and the others a dense part; 1: all have experts.
[[nodiscard]] std::uint64_t customary_expert_interval(const ModelShape& shape);

/// Whether the feed-forward part has a gate besides the ways up and down (llama-model.cpp, build_ffn's arguments).
[[nodiscard]] bool has_gates(const std::string& architecture);

/// Whether queries, keys and values are one matrix.
[[nodiscard]] bool has_fused_attention(const std::string& architecture);

/// Whether the output matrix is the embedding, by the published models ("tie_word_embeddings" of their config.json).
[[nodiscard]] bool is_tied_by_custom(const ModelShape& shape);

}  // namespace dualgpuopt::memory
