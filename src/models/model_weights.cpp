#include "dualgpuopt/memory/models/model_weights.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/layer_matrices.h"
#include "models/quantisation.h"
#include "models/saturated.h"
#include "models/shape_defaults.h"
#include "models/tensor_name.h"

namespace dualgpuopt::memory {
namespace {

/// More layers than any model has: a name such as "blk.999999999.x" must not reserve memory.
constexpr std::size_t kMostLayers = 4096;

void add_to_layer(ModelWeights& weights, std::size_t layer, const GgufTensor& tensor) {
  if (layer >= kMostLayers) return;
  if (layer >= weights.layers.size()) {
    weights.layers.resize(layer + 1);
    weights.experts.resize(layer + 1);
  }
  weights.layers[layer] += tensor.bytes;
  if (tensor.name.find("_exps") != std::string::npos) weights.experts[layer] += tensor.bytes;
}

/// A layer's matrices, in floating point: blocks and rows are large enough for that.
struct LayerSum {
  double bytes = 0;
  double of_experts = 0;
  double elements = 0;
};

LayerSum sum_of(const std::vector<LayerMatrix>& matrices, const Quantisation& types, Quantisation::Place place) {
  LayerSum sum;
  for (const auto& matrix : matrices) {
    place.columns = matrix.columns;
    place.is_of_experts = matrix.is_of_experts();
    const double bytes = matrix.elements() * types.bytes_per_element(matrix.role, place);
    sum.bytes += bytes;
    sum.of_experts += matrix.is_of_experts() ? bytes : 0;
    sum.elements += matrix.elements();
  }
  return sum;
}

double elements_of(const GgufTensor& tensor) {
  double elements = 1;
  for (const auto dimension : tensor.shape) elements *= static_cast<double>(dimension);
  return elements;
}

double all_elements(const ModelShape& shape) {
  const double per_word = 2 * static_cast<double>(shape.embedding) +
                          static_cast<double>(shape.layer_embedding) * static_cast<double>(shape.layers.size());
  double elements = static_cast<double>(shape.vocabulary) * per_word;
  for (const auto& layer : shape.layers) {
    for (const auto& matrix : layer_matrices(shape, layer)) elements += matrix.elements();
  }
  return elements;
}

/// A mixture that is not known has its average, where the file's size is known.
Result<Quantisation> types_of(const ModelShape& shape, const WeightHints& hints) {
  if (hints.small) return Quantisation::of_layers(hints.small->bytes_per_element, hints.small->experts_alone);
  auto types = Quantisation::parse(hints.file_type);
  if (types || !hints.file_bytes) return types;
  return Quantisation::uniform(static_cast<double>(*hints.file_bytes) /
                               std::max(hints.parameters.value_or(all_elements(shape)), 1.0));
}

Bytes whole(double bytes) { return saturated(std::round(bytes)); }

}  // namespace

Bytes ModelWeights::all_layers() const { return std::accumulate(layers.begin(), layers.end(), Bytes{0}); }

Bytes ModelWeights::in_file() const { return input + layer_input + all_layers() + output - (tied ? input : 0); }

bool ModelWeights::are_of_32_bits() const {
  constexpr double nearly = 3.9;  // bytes
  return parameters > 0 && static_cast<double>(in_file()) / parameters > nearly;
}

ModelWeights weights_of(const GgufHeader& header) {
  ModelWeights weights;
  bool has_output = false;
  for (const auto& tensor : header.tensors) {
    weights.parameters += elements_of(tensor);
    if (const auto layer = layer_in_name(tensor.name)) {
      add_to_layer(weights, *layer, tensor);
    } else if (tensor.name.starts_with("token_embd")) {
      weights.input += tensor.bytes;
    } else if (tensor.name.starts_with("per_layer_token_embd")) {
      weights.layer_input += tensor.bytes;
    } else {
      has_output = has_output || tensor.name == "output.weight";
      weights.output += tensor.bytes;
    }
  }
  weights.tied = !has_output && weights.input > 0;
  if (weights.tied) weights.output += weights.input;
  return weights;
}

ModelWeights fitted(ModelWeights weights, std::size_t layers) {
  for (std::size_t i = layers; i < weights.layers.size(); ++i) weights.output += weights.layers[i];
  weights.layers.resize(layers);
  weights.experts.resize(layers);
  return weights;
}

Result<ModelWeights> weights_of(const ModelShape& shape, const WeightHints& hints) {
  const auto types = types_of(shape, hints);
  if (!types) return fail(types.error());
  ModelWeights weights;
  weights.is_estimate = true;
  double elements = 0;
  for (std::size_t i = 0; i < shape.layers.size(); ++i) {
    const auto& layer = shape.layers[i];
    const Quantisation::Place place{i, shape.layers.size(), layer.heads / std::max<std::uint64_t>(layer.kv_heads, 1),
                                    shape.experts.count};
    const auto sum = sum_of(layer_matrices(shape, layer), *types, place);
    weights.layers.push_back(whole(sum.bytes));
    weights.experts.push_back(whole(sum.of_experts));
    elements += sum.elements;
  }
  Quantisation::Place none;
  none.columns = shape.embedding;
  const double matrix = static_cast<double>(shape.vocabulary) * static_cast<double>(shape.embedding);
  const double of_layers = static_cast<double>(shape.vocabulary) * static_cast<double>(shape.layer_embedding) *
                           static_cast<double>(shape.layers.size());
  weights.tied = hints.tied         ? *hints.tied
                 : hints.parameters ? *hints.parameters < elements + of_layers + 1.5 * matrix
                                    : is_tied_by_custom(shape);
  weights.parameters = elements + of_layers + (weights.tied ? 1 : 2) * matrix;
  weights.input =
      whole(matrix * types->bytes_per_element(weights.tied ? TensorRole::Output : TensorRole::Embedding, none));
  weights.layer_input = whole(of_layers * types->bytes_per_element(TensorRole::Embedding, none));
  weights.output =
      whole(matrix * types->bytes_per_element(TensorRole::Output, none) + 4 * static_cast<double>(shape.embedding));
  if (hints.file_bytes && weights.all_layers() > 0) {
    const double rest =
        static_cast<double>(*hints.file_bytes) - static_cast<double>(weights.in_file() - weights.all_layers());
    const double scale = std::max(0.0, rest) / static_cast<double>(weights.all_layers());
    for (auto* parts : {&weights.layers, &weights.experts}) {
      for (auto& part : *parts) part = whole(scale * static_cast<double>(part));
    }
  }
  return weights;
}

}  // namespace dualgpuopt::memory
