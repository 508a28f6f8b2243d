#include "dualgpuopt/memory/models/llamacpp.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/saturated.h"

namespace dualgpuopt::memory {
namespace {

constexpr double kFloat = 4;
constexpr double kHalf = 2;

/// Activations that live side by side, in rows of the embedding's width; found on published logs.
constexpr double kAttentionRows = 4;
constexpr double kLatentRows = 8;
constexpr double kDenseRows = 2;
constexpr double kExpertRows = 4;
constexpr double kLogitRows = 2;

/// The dimensions as floating point: products of them overflow nothing.
struct Dimensions {
  Dimensions(const ModelShape& shape, const LlamaCppOptions& options)
      : width(static_cast<double>(shape.embedding)),
        vocabulary(static_cast<double>(shape.vocabulary)),
        heads(static_cast<double>(shape.heads())),
        batch(static_cast<double>(std::min(options.cache.micro_batch, options.cache.context))),
        context(static_cast<double>(cache_cells(LayerCache::Full, shape.window, options.cache))) {}

  double width, vocabulary, heads, batch, context;
};

double inner_activations(const ModelShape& shape, const Dimensions& d) {
  if (shape.experts.count > 0) {
    const auto used = static_cast<double>(shape.experts.used);
    return used * (d.width + 2 * static_cast<double>(shape.experts.feed_forward)) + kExpertRows * d.width;
  }
  std::uint64_t widest = 0;
  for (const auto& layer : shape.layers) widest = std::max(widest, layer.feed_forward);
  return 2 * static_cast<double>(widest) + kDenseRows * d.width;
}

/// Keys and values of all heads, expanded for one micro-batch (ik_llama.cpp), or kept latent (llama.cpp).
double latent_attention(const ModelShape& shape, const LlamaCppOptions& options, const Dimensions& d) {
  const auto rank = static_cast<double>(shape.latent.rank);
  const auto rope = static_cast<double>(shape.latent.rope);
  const double mask = kHalf * d.batch * d.context;
  if (options.fork == LlamaCppFork::Mainline)
    return mask + kFloat * d.batch * (d.heads * (2 * rank + rope) + kLatentRows * d.width);
  const auto& layer = shape.layers.front();
  const double expanded = kHalf * d.context * d.heads * static_cast<double>(layer.key_length + layer.value_length);
  return mask + expanded + kFloat * d.batch * (d.heads * (rank + rope) + kLatentRows * d.width);
}

double attention(const ModelShape& shape, const LlamaCppOptions& options, const Dimensions& d) {
  if (!options.flash_attention) return kFloat * d.batch * (d.heads * d.context + d.context + kAttentionRows * d.width);
  if (shape.latent.rank > 0 && options.cache.latent != LatentCache::Expanded)
    return latent_attention(shape, options, d);
  return kHalf * d.batch * d.context + kFloat * d.batch * inner_activations(shape, d);
}

double logits(const LlamaCppOptions& options, const Dimensions& d) {
  const double rows = options.one_output ? static_cast<double>(options.cache.sequences) : d.batch;
  return kFloat * (rows * d.vocabulary + d.batch * kLogitRows * d.width);
}

std::vector<double> cumulative_shares(const LlamaCppOptions& options) {
  auto shares = options.split.empty() ? std::vector<double>(options.gpus, 1.0) : options.split;
  std::partial_sum(shares.begin(), shares.end(), shares.begin());
  const double all = shares.empty() ? 1 : shares.back();
  for (auto& share : shares) share /= all;
  return shares;
}

double share_of(const LlamaCppOptions& options, std::size_t gpu) {
  const auto ends = cumulative_shares(options);
  return ends[gpu] - (gpu == 0 ? 0 : ends[gpu - 1]);
}

Bytes host_experts(const Model& model, const LlamaCppOptions& options, std::size_t layer) {
  return layer < options.host_expert_layers ? model.weights.experts[layer] : 0;
}

/// One of an expert layer's three matrices is copied at a time.
Bytes staged_experts(const Model& model, const LlamaCppOptions& options) {
  if (options.fork == LlamaCppFork::Ik) return 0;
  Bytes largest = 0;
  for (std::size_t i = 0; i < model.weights.experts.size(); ++i)
    largest = std::max(largest, host_experts(model, options, i) / 3);
  return largest;
}

class Plan {
 public:
  Plan(const Model& model, const LlamaCppOptions& options)
      : model_(model), options_(options), places_(place_layers(model.shape.layers.size(), options)) {
    for (std::size_t i = 0; i < options.gpus; ++i) devices_.push_back({i, 0, 0, 0, 0, 0, 0});
    devices_.push_back({});
  }

  [[nodiscard]] std::vector<DeviceNeed> devices() {
    host().weights += model_.weights.input;
    add_output();
    const auto caches = kv_cache(model_.shape, options_.cache);
    for (std::size_t i = 0; i < caches.size(); ++i) add_layer(i, caches[i]);
    add_compute();
    return std::move(devices_);
  }

 private:
  [[nodiscard]] DeviceNeed& host() { return devices_.back(); }
  [[nodiscard]] DeviceNeed& device(std::optional<std::size_t> gpu) { return gpu ? devices_[*gpu] : host(); }

  void add_weights(std::optional<std::size_t> gpu, Bytes bytes) {
    if (!gpu || options_.mode == SplitMode::Layer) {
      device(gpu).weights += bytes;
      return;
    }
    for (std::size_t i = 0; i < options_.gpus; ++i)
      devices_[i].weights += saturated(share_of(options_, i) * static_cast<double>(bytes));
  }

  /// A tied output that stays in host memory is the input itself.
  void add_output() {
    const bool is_shared = model_.weights.tied && !places_.back();
    add_weights(places_.back(),
                model_.weights.output - (is_shared ? std::min(model_.weights.input, model_.weights.output) : 0));
    const auto rows = std::max<std::uint64_t>(options_.cache.sequences, 1);
    host().output += saturated(kFloat * static_cast<double>(rows) * static_cast<double>(model_.shape.vocabulary));
  }

  void add_layer(std::size_t layer, const LayerCacheSize& cache) {
    const auto gpu = places_[layer];
    const auto in_host = gpu ? host_experts(model_, options_, layer) : 0;
    add_weights(gpu, model_.weights.layers[layer] - in_host);
    host().weights += in_host;
    auto& keeper = gpu && options_.mode == SplitMode::Row ? devices_[options_.main_gpu] : device(gpu);
    keeper.kv_cache += cache.kv();
    keeper.state += cache.state;
    ++device(gpu).layers;
  }

  void add_compute() {
    const bool is_row = options_.mode == SplitMode::Row;
    for (auto& need : devices_) {
      const bool has_output = places_.back() == need.gpu;
      const bool works = need.layers > 0 || has_output;
      if (!works || (is_row && need.gpu && *need.gpu != options_.main_gpu)) continue;
      need.compute =
          compute_buffer(model_.shape, options_, {has_output, need.gpu == 0U ? staged_experts(model_, options_) : 0});
    }
  }

  const Model& model_;
  const LlamaCppOptions& options_;
  std::vector<std::optional<std::size_t>> places_;
  std::vector<DeviceNeed> devices_;
};

}  // namespace

Result<void> LlamaCppOptions::validate() const {
  if (cache.context == 0) return fail(ErrorCode::InvalidArgument, "the context must be at least one token");
  if (cache.micro_batch == 0) return fail(ErrorCode::InvalidArgument, "the micro-batch must be at least one token");
  if (!split.empty() && split.size() != gpus) {
    return fail(ErrorCode::InvalidArgument, fmt::format("the split has {} shares for {} GPUs", split.size(), gpus));
  }
  const auto is_share = [](double share) { return std::isfinite(share) && share >= 0; };
  if (!std::all_of(split.begin(), split.end(), is_share) ||
      (!split.empty() && std::accumulate(split.begin(), split.end(), 0.0) <= 0)) {
    return fail(ErrorCode::InvalidArgument, "the shares of a split must not be negative, and one of them more than 0");
  }
  if (gpus > 0 && main_gpu >= gpus)
    return fail(ErrorCode::InvalidArgument, fmt::format("the main GPU is {}, and there are {}", main_gpu, gpus));
  return {};
}

std::vector<std::optional<std::size_t>> place_layers(std::size_t layers, const LlamaCppOptions& options) {
  std::vector<std::optional<std::size_t>> places(layers + 1);
  const auto wanted = std::min<std::uint64_t>(options.gpu_layers.value_or(layers + 1), layers + 1);
  if (options.gpus == 0 || wanted == 0) return places;
  const auto first = wanted >= layers ? 0 : layers - wanted;
  const auto shares = cumulative_shares(options);
  for (std::size_t i = first; i <= layers && i - first < wanted; ++i) {
    const double at = static_cast<double>(i - first) / static_cast<double>(wanted);
    const auto gpu = static_cast<std::size_t>(std::upper_bound(shares.begin(), shares.end(), at) - shares.begin());
    places[i] = std::min(gpu, options.gpus - 1);
  }
  return places;
}

Bytes compute_buffer(const ModelShape& shape, const LlamaCppOptions& options, const ComputePlace& place) {
  if (shape.layers.empty()) return 0;
  const Dimensions dimensions(shape, options);
  const double graph = attention(shape, options, dimensions) + static_cast<double>(place.staged_experts);
  return saturated(place.has_output ? std::max(graph, logits(options, dimensions)) : graph);
}

std::vector<DeviceNeed> llamacpp_need(const Model& model, const LlamaCppOptions& options) {
  return Plan(model, options).devices();
}

}  // namespace dualgpuopt::memory
