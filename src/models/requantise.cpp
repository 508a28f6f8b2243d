#include "models/requantise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>

#include "models/quantisation.h"
#include "models/saturated.h"

namespace dualgpuopt::memory {
namespace {

struct NamedRole {
  std::string_view name;
  TensorRole role;
};

/// By the beginning of a name within its layer; the first that fits counts.
constexpr std::array kRoles{
    NamedRole{"attn_qkv", TensorRole::Fused},
    NamedRole{"attn_q.", TensorRole::Query},
    NamedRole{"attn_q_a.", TensorRole::Query},
    NamedRole{"attn_q_b.", TensorRole::Query},
    NamedRole{"attn_gate.", TensorRole::Query},
    NamedRole{"ssm_out.", TensorRole::Query},
    NamedRole{"ssm_in.", TensorRole::Query},
    NamedRole{"attn_k.", TensorRole::Key},
    NamedRole{"attn_kv_a_mqa.", TensorRole::Key},
    NamedRole{"attn_kv_b.", TensorRole::Key},
    NamedRole{"attn_k_b.", TensorRole::Key},
    NamedRole{"attn_v.", TensorRole::Value},
    NamedRole{"attn_v_b.", TensorRole::Value},
    NamedRole{"attn_output.", TensorRole::AttentionOutput},
    NamedRole{"ffn_gate_inp", TensorRole::Other},
    NamedRole{"ffn_gate", TensorRole::Gate},
    NamedRole{"ffn_up", TensorRole::Up},
    NamedRole{"ffn_down", TensorRole::Down},
    NamedRole{"token_embd.", TensorRole::Embedding},
    NamedRole{"output.", TensorRole::Output},
};

/// Other for vectors and whatever else stays as it is.
TensorRole role_of(const ModelTensor& tensor) {
  std::string_view name = tensor.name;
  if (!name.ends_with(".weight")) return TensorRole::Other;
  if (tensor.layer) name.remove_prefix(std::min(name.find('.', 4), name.size() - 1) + 1);
  const auto* const found =
      std::find_if(kRoles.begin(), kRoles.end(), [&](const NamedRole& named) { return name.starts_with(named.name); });
  return found == kRoles.end() ? TensorRole::Other : found->role;
}

Quantisation::Place place_of(const ModelShape& shape, const ModelTensor& tensor) {
  Quantisation::Place place;
  place.layers = shape.layers.size();
  place.experts = shape.experts.count;
  place.columns = tensor.columns;
  place.is_of_experts = tensor.is_of_experts();
  if (!tensor.layer) return place;
  const auto& layer = shape.layers[*tensor.layer];
  place.layer = *tensor.layer;
  place.query_groups = layer.heads / std::max<std::uint64_t>(layer.kv_heads, 1);
  return place;
}

/// A tied embedding is in the output's format, and in `output` once more.
void set_bytes(ModelWeights& weights, ModelTensor& tensor, Bytes bytes) {
  const bool is_twice = weights.tied && tensor.is_embedding();
  take_out(weights, tensor);
  if (is_twice) weights.output = weights.output - std::min(weights.output, tensor.bytes) + bytes;
  tensor.bytes = bytes;
  put_in(weights, tensor);
}

}  // namespace

Result<Model> requantised(Model model, const std::string& file_type) {
  const auto types = Quantisation::parse(file_type);
  if (!types) return fail(types.error());
  for (auto& tensor : model.tensors) {
    auto role = role_of(tensor);
    if (role == TensorRole::Other) continue;
    if (role == TensorRole::Embedding && model.weights.tied) role = TensorRole::Output;
    const double bytes = tensor.elements * types->bytes_per_element(role, place_of(model.shape, tensor));
    set_bytes(model.weights, tensor, saturated(std::round(bytes)));
  }
  model.weights.is_estimate = true;
  return model;
}

}  // namespace dualgpuopt::memory
