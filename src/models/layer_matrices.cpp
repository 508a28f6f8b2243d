#include "models/layer_matrices.h"

#include <algorithm>

#include "models/shape_defaults.h"

namespace dualgpuopt::memory {
namespace {

using Matrices = std::vector<LayerMatrix>;

void add_latent_attention(Matrices& matrices, const ModelShape& shape, const LayerShape& layer) {
  const auto& latent = shape.latent;
  const auto queries = layer.heads * layer.key_length;
  if (latent.query_rank == 0) {
    matrices.push_back({"attn_q", TensorRole::Query, shape.embedding, queries});
  } else {
    matrices.push_back({"attn_q_a", TensorRole::Query, shape.embedding, latent.query_rank});
    matrices.push_back({"attn_q_b", TensorRole::Query, latent.query_rank, queries});
  }
  const auto key_without_rope = layer.key_length - std::min(layer.key_length, latent.rope);
  matrices.push_back({"attn_kv_a_mqa", TensorRole::Key, shape.embedding, latent.rank + latent.rope});
  matrices.push_back(
      {"attn_kv_b", TensorRole::Key, latent.rank, layer.heads * (key_without_rope + layer.value_length)});
}

void add_plain_attention(Matrices& matrices, const ModelShape& shape, const LayerShape& layer) {
  const auto queries = layer.heads * layer.key_length * (shape.gated_queries ? 2 : 1);
  const auto keys = layer.kv_heads * layer.key_length;
  const auto values = layer.kv_heads * layer.value_length;
  if (has_fused_attention(shape.architecture)) {
    matrices.push_back({"attn_qkv", TensorRole::Fused, shape.embedding, queries + keys + values});
    return;
  }
  matrices.push_back({"attn_q", TensorRole::Query, shape.embedding, queries});
  matrices.push_back({"attn_k", TensorRole::Key, shape.embedding, keys});
  matrices.push_back({"attn_v", TensorRole::Value, shape.embedding, values});
}

/// Gated delta nets and Mamba 2 have queries, keys and values in one matrix, a gate, and the way back (qwen35.cpp and
/// its likes in llama.cpp); Mamba 1 makes keys, queries and the time step of the inner width (mamba-base.cpp).
void add_state(Matrices& matrices, const ModelShape& shape) {
  const auto& state = shape.state;
  const bool is_first_mamba = state.groups == 0 && state.rank > 0;
  matrices.push_back({"attn_qkv", TensorRole::Fused, shape.embedding, state.inner + 2 * state.groups * state.state});
  matrices.push_back({"attn_gate", TensorRole::Query, shape.embedding, state.inner});
  if (is_first_mamba) {
    matrices.push_back({"ssm_x", TensorRole::Query, state.inner, state.rank + 2 * state.state});
    matrices.push_back({"ssm_dt", TensorRole::Query, state.rank, state.inner});
  }
  matrices.push_back({"ssm_out", TensorRole::Query, state.inner, shape.embedding});
}

void add_attention(Matrices& matrices, const ModelShape& shape, const LayerShape& layer) {
  if (layer.cache == LayerCache::State && shape.state.inner > 0) return add_state(matrices, shape);
  if (layer.heads == 0) return;
  if (shape.latent.rank > 0) {
    add_latent_attention(matrices, shape, layer);
  } else {
    add_plain_attention(matrices, shape, layer);
  }
  matrices.push_back({"attn_output", TensorRole::AttentionOutput, layer.heads * layer.value_length, shape.embedding});
}

struct FeedForwardNames {
  std::string_view gate, up, down;
};

void add_feed_forward(Matrices& matrices, const FeedForwardNames& names, std::uint64_t width, std::uint64_t inner,
                      std::uint64_t copies = 1) {
  if (inner == 0 || copies == 0) return;
  if (!names.gate.empty()) matrices.push_back({names.gate, TensorRole::Gate, width, inner, copies});
  matrices.push_back({names.up, TensorRole::Up, width, inner, copies});
  matrices.push_back({names.down, TensorRole::Down, inner, width, copies});
}

}  // namespace

std::vector<LayerMatrix> layer_matrices(const ModelShape& shape, const LayerShape& layer) {
  Matrices matrices;
  add_attention(matrices, shape, layer);
  matrices.push_back({"norms", TensorRole::Other, shape.embedding, 2});
  const bool gated = has_gates(shape.architecture);
  if (!layer.has_experts) {
    add_feed_forward(matrices, {gated ? "ffn_gate" : "", "ffn_up", "ffn_down"}, shape.embedding, layer.feed_forward);
    return matrices;
  }
  const auto& experts = shape.experts;
  matrices.push_back({"ffn_gate_inp", TensorRole::Other, shape.embedding, experts.count});
  add_feed_forward(matrices, {gated ? "ffn_gate_shexp" : "", "ffn_up_shexp", "ffn_down_shexp"}, shape.embedding,
                   experts.shared_feed_forward);
  add_feed_forward(matrices, {gated ? "ffn_gate_exps" : "", "ffn_up_exps", "ffn_down_exps"}, shape.embedding,
                   experts.feed_forward, experts.count);
  return matrices;
}

}  // namespace dualgpuopt::memory
