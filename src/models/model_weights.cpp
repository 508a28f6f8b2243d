#include "dualgpuopt/memory/models/model_weights.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

#include "models/quantisation.h"
#include "models/saturated.h"

namespace dualgpuopt::memory {
namespace {

std::optional<std::size_t> layer_of(std::string_view tensor) {
  constexpr std::string_view prefix = "blk.";
  if (!tensor.starts_with(prefix)) return std::nullopt;
  std::size_t layer = 0;
  const auto* const begin = tensor.data() + prefix.size();
  const auto [end, error] = std::from_chars(begin, tensor.data() + tensor.size(), layer);
  if (error != std::errc() || end == tensor.data() + tensor.size() || *end != '.') return std::nullopt;
  return layer;
}

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

/// Adds up a layer's tensors in floating point; blocks and rows are large enough for that.
class LayerSum {
 public:
  LayerSum(const Quantisation& types, const Quantisation::Place& place) : types_(types), place_(place) {}
  void add(TensorRole role, std::uint64_t a, std::uint64_t b, std::uint64_t copies = 1) {
    const double elements = static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(copies);
    bytes_ += elements * types_.bytes_per_element(role, place_);
    elements_ += elements;
  }
  [[nodiscard]] double bytes() const { return bytes_; }
  [[nodiscard]] double elements() const { return elements_; }

 private:
  const Quantisation& types_;
  Quantisation::Place place_;
  double bytes_ = 0;
  double elements_ = 0;
};

/// Queries, keys and values in one matrix, a gate, and the way back (qwen35.cpp and its likes in llama.cpp).
void add_state(LayerSum& sum, const ModelShape& shape) {
  sum.add(TensorRole::Fused, shape.embedding, shape.state_keys + shape.state_inner);
  sum.add(TensorRole::Query, shape.embedding, shape.state_inner);
  sum.add(TensorRole::Query, shape.state_inner, shape.embedding);
}

void add_attention(LayerSum& sum, const ModelShape& shape, const LayerShape& layer) {
  if (layer.cache == LayerCache::State && shape.state_inner > 0) return add_state(sum, shape);
  const auto width = shape.embedding;
  const auto queries = layer.heads * layer.key_length * (shape.gated_queries ? 2 : 1);
  const auto outputs = layer.heads * layer.value_length;
  sum.add(TensorRole::AttentionOutput, outputs, width);
  if (shape.latent.rank == 0) {
    sum.add(TensorRole::Query, width, queries);
    sum.add(TensorRole::Key, width, layer.kv_heads * layer.key_length);
    sum.add(TensorRole::Value, width, layer.kv_heads * layer.value_length);
    return;
  }
  const auto& latent = shape.latent;
  if (latent.query_rank == 0) {
    sum.add(TensorRole::Query, width, queries);
  } else {
    sum.add(TensorRole::Query, width, latent.query_rank);
    sum.add(TensorRole::Query, latent.query_rank, queries);
  }
  sum.add(TensorRole::Key, width, latent.rank + latent.rope);
  sum.add(TensorRole::Key, latent.rank,
          layer.heads * (layer.key_length - std::min(layer.key_length, latent.rope) + layer.value_length));
}

void add_feed_forward(LayerSum& sum, std::uint64_t width, std::uint64_t inner, std::uint64_t copies = 1) {
  sum.add(TensorRole::Gate, width, inner, copies);
  sum.add(TensorRole::Up, width, inner, copies);
  sum.add(TensorRole::Down, width, inner, copies);
}

bool is_dense(const ModelShape& shape, const LayerShape& layer) {
  return shape.experts.count == 0 || layer.feed_forward > 0;
}

/// Families whose output matrix is the embedding.
bool is_tied_by_custom(const std::string& architecture) {
  constexpr std::array families{"gemma", "gemma2", "gemma3", "gemma3n", "gemma4", "command-r", "cohere2"};
  return std::find(families.begin(), families.end(), architecture) != families.end();
}

Bytes whole(double bytes) { return saturated(std::round(bytes)); }

}  // namespace

Bytes ModelWeights::all_layers() const { return std::accumulate(layers.begin(), layers.end(), Bytes{0}); }

Bytes ModelWeights::in_file() const { return input + all_layers() + output - (tied ? input : 0); }

ModelWeights weights_of(const GgufHeader& header) {
  ModelWeights weights;
  bool has_output = false;
  for (const auto& tensor : header.tensors) {
    if (const auto layer = layer_of(tensor.name)) {
      add_to_layer(weights, *layer, tensor);
    } else if (tensor.name.starts_with("token_embd") || tensor.name.starts_with("per_layer_token_embd")) {
      weights.input += tensor.bytes;
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
  const auto types = Quantisation::parse(hints.file_type);
  if (!types) return fail(types.error());
  ModelWeights weights;
  weights.is_estimate = true;
  double elements = 0;
  for (std::size_t i = 0; i < shape.layers.size(); ++i) {
    const auto& layer = shape.layers[i];
    const Quantisation::Place place{i, shape.layers.size(), layer.heads / std::max<std::uint64_t>(layer.kv_heads, 1),
                                    shape.experts.count};
    LayerSum sum(*types, place);
    LayerSum experts(*types, place);
    add_attention(sum, shape, layer);
    sum.add(TensorRole::Other, 2, shape.embedding);
    if (is_dense(shape, layer)) {
      add_feed_forward(sum, shape.embedding, layer.feed_forward);
    } else {
      sum.add(TensorRole::Other, shape.embedding, shape.experts.count);
      add_feed_forward(sum, shape.embedding, shape.experts.shared_feed_forward);
      add_feed_forward(experts, shape.embedding, shape.experts.feed_forward, shape.experts.count);
    }
    weights.layers.push_back(whole(sum.bytes() + experts.bytes()));
    weights.experts.push_back(whole(experts.bytes()));
    elements += sum.elements() + experts.elements();
  }
  const Quantisation::Place none{};
  const double matrix = static_cast<double>(shape.vocabulary) * static_cast<double>(shape.embedding);
  weights.tied = hints.tied         ? *hints.tied
                 : hints.parameters ? *hints.parameters < elements + 1.5 * matrix
                                    : is_tied_by_custom(shape.architecture);
  weights.input =
      whole(matrix * types->bytes_per_element(weights.tied ? TensorRole::Output : TensorRole::Embedding, none));
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
