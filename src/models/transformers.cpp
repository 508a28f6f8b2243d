#include "dualgpuopt/memory/models/transformers.h"

#include <algorithm>

#include "models/request_text.h"
#include "models/saturated.h"
#include "models/shape_defaults.h"
#include "models/torch_memory.h"

namespace dualgpuopt::memory {
namespace {

constexpr double kHalf = 2;
constexpr double kFloat = 4;

double amount(std::uint64_t count) { return static_cast<double>(count); }

/// Layers with a window keep one token less than it (transformers, DynamicSlidingWindowLayer).
double cached_tokens(const LayerShape& layer, const ModelShape& shape, const TransformersOptions& options) {
  switch (layer.cache) {
    case LayerCache::Full: return amount(options.context);
    case LayerCache::Window:
      return amount(shape.window == 0 ? options.context : std::min(options.context, shape.window - 1));
    case LayerCache::State:
    case LayerCache::None: return 0;
  }
  return 0;
}

/// Keys and values of every head, also where attention is latent: the cache holds what attention takes.
Bytes layer_cache(const LayerShape& layer, const ModelShape& shape, const TransformersOptions& options) {
  const double elements = amount(layer.kv_heads) * amount(layer.key_length + layer.value_length);
  return saturated(elements * options.cache_type.bytes_per_element() * amount(options.batch) *
                   cached_tokens(layer, shape, options));
}

/// The prompt's activations in the widest layer: the gate before and after its activation and the other half, and four
/// rows of the embedding's width; attention's scores too where no kernel spares them.
Bytes prompt_activations(const ModelShape& shape, const TransformersOptions& options) {
  double widest = 0;
  for (const auto& layer : shape.layers) {
    const auto widths = token_widths(shape, layer);
    const double scores = options.flash_attention ? 0 : (kFloat + kHalf) * widths.heads * amount(options.context);
    widest = std::max(widest, kHalf * (3 * widths.inner + 2 * widths.experts * widths.embedding) +
                                  2 * kHalf * 2 * widths.embedding + scores);
  }
  return saturated(widest * amount(options.batch) * amount(options.context));
}

/// Of the last token of each sequence, and once more as 32-bit numbers for sampling.
Bytes last_logits(const ModelShape& shape, const TransformersOptions& options) {
  return saturated((kHalf + kFloat) * amount(options.batch) * amount(shape.vocabulary));
}

/// Of each sequence, with the kernel's whole length (MambaCache); a delta net's state is in 32 bits.
Bytes layer_state(const LayerShape& layer, const ModelShape& shape, const TransformersOptions& options) {
  if (layer.cache != LayerCache::State || shape.state.convolution == 0) return 0;
  const double past = amount(shape.state.past_elements()) /
                      amount(std::max<std::uint64_t>(shape.state.convolution - 1, 1)) * amount(shape.state.convolution);
  const double number = customary_attention_interval(shape.architecture) > 0 ? kFloat : kHalf;
  return saturated(amount(options.batch) * (kHalf * past + number * amount(shape.state.state_elements())));
}

LlamaCppOptions placement(const TransformersOptions& options) {
  LlamaCppOptions placement;
  placement.gpus = options.gpus;
  placement.split = options.split;
  return placement;
}

}  // namespace

Result<void> TransformersOptions::validate() const {
  if (auto valid = check_context(context); !valid) return valid;
  if (batch == 0) return fail(ErrorCode::InvalidArgument, "the batch must be at least one sequence");
  auto placed = placement(*this);
  placed.cache.context = context;
  return placed.validate();
}

std::vector<DeviceNeed> transformers_need(const Model& model, const TransformersOptions& options) {
  const auto& weights = model.weights;
  const auto places = place_layers(model.shape.layers.size(), placement(options));
  std::vector<DeviceNeed> devices(options.gpus + 1);
  for (std::size_t i = 0; i < options.gpus; ++i) devices[i].gpu = i;
  const auto device = [&](std::optional<std::size_t> gpu) -> DeviceNeed& {
    return devices[gpu.value_or(options.gpus)];
  };
  device(places.front()).weights += weights.input + weights.layer_input;
  const bool is_shared = weights.tied && places.front() == places.back();
  device(places.back()).weights += weights.output - (is_shared ? std::min(weights.input, weights.output) : 0);
  device(places.back()).output = last_logits(model.shape, options);
  for (std::size_t i = 0; i < model.shape.layers.size(); ++i) {
    auto& need = device(places[i]);
    need.weights += weights.layers[i];
    need.kv_cache += layer_cache(model.shape.layers[i], model.shape, options);
    need.state += layer_state(model.shape.layers[i], model.shape, options);
    ++need.layers;
  }
  const double slack = rounding(model.shape, kHalf) / amount(std::max<std::size_t>(model.shape.layers.size(), 1));
  for (auto& need : devices) {
    if (need.layers > 0) need.compute = prompt_activations(model.shape, options);
    need.slack = saturated(slack * amount(need.layers));
  }
  return devices;
}

}  // namespace dualgpuopt::memory
