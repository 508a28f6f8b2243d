#include "dualgpuopt/memory/models/model_tensors.h"

#include <algorithm>
#include <cmath>

#include "core/format.h"
#include "models/layer_matrices.h"
#include "models/quantisation.h"
#include "models/saturated.h"
#include "models/tensor_name.h"

namespace dualgpuopt::memory {
namespace {

std::optional<std::size_t> layer_of(std::string_view tensor, std::size_t layers) {
  const auto layer = layer_in_name(tensor);
  return layer && *layer < layers ? layer : std::nullopt;
}

double elements_of(const GgufTensor& tensor) {
  double elements = 1;
  for (const auto dimension : tensor.shape) elements *= static_cast<double>(dimension);
  return elements;
}

/// Gives out `all` bytes in parts of so much each: rounded where a part ends, so that their sum is exact.
class Shares {
 public:
  Shares(Bytes all, double parts) : scale_(parts > 0 ? static_cast<double>(all) / parts : 0) {}

  [[nodiscard]] Bytes next(double part) {
    const auto before = saturated(std::round(scale_ * given_));
    given_ += part;
    return saturated(std::round(scale_ * given_)) - before;
  }

 private:
  double scale_;
  double given_ = 0;
};

using Matrices = std::vector<LayerMatrix>;

/// A layer's matrices with the bytes that its weights leave to each.
void add_layer(std::vector<ModelTensor>& tensors, std::size_t layer, const Matrices& matrices,
               const std::vector<double>& sizes, const ModelWeights& weights) {
  double of_experts = 0;
  double all = 0;
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    all += sizes[i];
    of_experts += matrices[i].is_of_experts() ? sizes[i] : 0;
  }
  Shares experts(weights.experts[layer], of_experts);
  Shares others(weights.layers[layer] - std::min(weights.experts[layer], weights.layers[layer]), all - of_experts);
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    const auto bytes = (matrices[i].is_of_experts() ? experts : others).next(sizes[i]);
    if (matrices[i].name == "norms") continue;
    tensors.push_back({format_text("blk.{}.{}.weight", layer, matrices[i].name), bytes, matrices[i].elements(), layer,
                       matrices[i].columns});
  }
}

Bytes& part_of(ModelWeights& weights, const ModelTensor& tensor) {
  if (tensor.layer) return weights.layers[*tensor.layer];
  if (tensor.name.starts_with("per_layer_token_embd")) return weights.layer_input;
  return tensor.is_embedding() ? weights.input : weights.output;
}

}  // namespace

bool ModelTensor::is_embedding() const {
  return name.starts_with("token_embd") || name.starts_with("per_layer_token_embd");
}

std::vector<ModelTensor> tensors_of(const GgufHeader& header, std::size_t layers) {
  std::vector<ModelTensor> tensors;
  tensors.reserve(header.tensors.size());
  for (const auto& tensor : header.tensors)
    tensors.push_back(
        {tensor.name, tensor.bytes, elements_of(tensor), layer_of(tensor.name, layers), tensor.shape.front()});
  return tensors;
}

std::vector<ModelTensor> tensors_of(const ModelShape& shape, const ModelWeights& weights,
                                    const std::string& file_type) {
  const auto types = Quantisation::parse(file_type).value_or(Quantisation::uniform(1));
  const double words = static_cast<double>(shape.vocabulary) * static_cast<double>(shape.embedding);
  std::vector<ModelTensor> tensors{{"token_embd.weight", weights.input, words, {}, shape.embedding}};
  if (!weights.tied) tensors.push_back({"output.weight", weights.output, words, {}, shape.embedding});
  for (std::size_t i = 0; i < shape.layers.size() && i < weights.layers.size(); ++i) {
    const auto& layer = shape.layers[i];
    const auto matrices = layer_matrices(shape, layer);
    Quantisation::Place place{i, shape.layers.size(), layer.heads / std::max<std::uint64_t>(layer.kv_heads, 1),
                              shape.experts.count};
    std::vector<double> sizes;
    for (const auto& matrix : matrices) {
      place.columns = matrix.columns;
      place.is_of_experts = matrix.is_of_experts();
      sizes.push_back(matrix.elements() * types.bytes_per_element(matrix.role, place));
    }
    add_layer(tensors, i, matrices, sizes, weights);
  }
  return tensors;
}

void take_out(ModelWeights& weights, const ModelTensor& tensor) {
  const auto take = [&](Bytes& part) { part -= std::min(part, tensor.bytes); };
  take(part_of(weights, tensor));
  if (tensor.layer && tensor.is_of_experts()) take(weights.experts[*tensor.layer]);
}

void put_in(ModelWeights& weights, const ModelTensor& tensor) {
  part_of(weights, tensor) += tensor.bytes;
  if (tensor.layer && tensor.is_of_experts()) weights.experts[*tensor.layer] += tensor.bytes;
}

}  // namespace dualgpuopt::memory
