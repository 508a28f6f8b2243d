#include "dualgpuopt/memory/models/llamacpp.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/format.h"
#include "models/compute_buffer.h"
#include "models/placed_tensors.h"
#include "models/request_text.h"
#include "models/saturated.h"

namespace dualgpuopt::memory {
namespace {

constexpr double kFloat = 4;

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

Bytes host_experts(const ModelWeights& weights, const LlamaCppOptions& options, std::size_t layer) {
  return layer < options.host_expert_layers ? weights.experts[layer] : 0;
}

/// One of an expert layer's three matrices is copied at a time.
Bytes staged_experts(const ModelWeights& weights, std::size_t layer) { return weights.experts[layer] / 3; }

/// A dense layer's largest matrix is one of the feed-forward part's three, which is about a quarter of the layer.
Bytes staged_dense(const ModelWeights& weights, std::size_t layer) {
  return (weights.layers[layer] - weights.experts[layer]) / 4;
}

class Plan {
 public:
  Plan(const Model& model, const LlamaCppOptions& options)
      : model_(model), options_(options), places_(place_layers(model.shape.layers.size(), options)) {
    if (!options.placed.empty()) rest_ = weights_without(model, options.placed);
    const auto* const told = output_place(model, options.placed);
    output_ = told != nullptr ? told->gpu : places_.back();
    for (std::size_t i = 0; i < options.gpus; ++i) devices_.push_back({i, 0, 0, 0, 0, 0, 0});
    devices_.push_back({});
  }

  [[nodiscard]] std::vector<DeviceNeed> devices() {
    host().weights += weights().input + weights().layer_input;
    add_output();
    for (const auto& [tensor, gpu] : options_.placed) device(gpu).weights += model_.tensors[tensor].bytes;
    const auto caches = kv_cache(model_.shape, options_.cache);
    for (std::size_t i = 0; i < caches.size(); ++i) add_layer(i, caches[i]);
    add_compute();
    return std::move(devices_);
  }

 private:
  /// Without the tensors that are placed by name.
  [[nodiscard]] const ModelWeights& weights() const { return rest_ ? *rest_ : model_.weights; }
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
    const bool is_shared = weights().tied && !places_.back();
    add_weights(places_.back(), weights().output - (is_shared ? std::min(weights().input, weights().output) : 0));
    const auto rows = std::max<std::uint64_t>(options_.cache.sequences, 1);
    host().output += saturated(kFloat * static_cast<double>(rows) * static_cast<double>(model_.shape.vocabulary));
  }

  [[nodiscard]] bool is_loaded(std::size_t layer) const {
    return layer + model_.shape.unloaded_layers < model_.shape.layers.size();
  }

  void add_layer(std::size_t layer, const LayerCacheSize& cache) {
    if (!is_loaded(layer)) return;
    const auto gpu = places_[layer];
    const auto in_host = gpu ? host_experts(weights(), options_, layer) : 0;
    add_weights(gpu, weights().layers[layer] - in_host);
    host().weights += in_host;
    auto& keeper = gpu && options_.mode == SplitMode::Row ? devices_[options_.main_gpu] : device(gpu);
    keeper.kv_cache += cache.kv();
    keeper.state += cache.state;
    ++device(gpu).layers;
  }

  void add_compute() {
    if (options_.gpus == 0) {
      host().compute = compute_buffer(model_.shape, options_, {.is_gpu = false, .has_output = true});
      return;
    }
    const bool pipelined = is_pipelined(model_.shape, options_);
    host().compute = host_inputs(model_.shape, options_, pipelined);
    ComputePlace place{.is_pipelined = pipelined, .staged = staged(), .staged_output = staged_output()};
    for (std::size_t i = 0; i < options_.gpus; ++i) {
      if (!works(devices_[i], place)) continue;
      place.has_output = output_ == i;
      devices_[i].compute = compute_buffer(model_.shape, options_, place);
      place = {.is_first = false, .is_pipelined = pipelined};
      place.leaves_experts = i + 1 < options_.gpus && leaves_experts(i + 1);
    }
  }

  /// The fork works on gates and experts in one operation, which goes to the first GPU whole; llama.cpp's is divided.
  [[nodiscard]] bool leaves_experts(std::size_t gpu) const {
    if (options_.fork == LlamaCppFork::Mainline || !stages_experts(model_.shape, options_)) return false;
    for (std::size_t i = 0; i < model_.shape.layers.size(); ++i) {
      if (places_[i] == gpu && i >= options_.host_expert_layers) return false;
    }
    return model_.shape.experts.count > 0;
  }

  /// The largest matrix of a layer that the first GPU takes from host memory to work on.
  [[nodiscard]] Bytes staged() const {
    const auto placed = host_matrices(model_, options_.placed);
    Bytes largest = std::max(stages_experts(model_.shape, options_) ? placed.experts : 0,
                             stages_weights(options_) ? placed.others : 0);
    for (std::size_t i = 0; i < model_.shape.layers.size(); ++i) {
      const bool experts = stages_experts(model_.shape, options_) && (!places_[i] || i < options_.host_expert_layers);
      if (experts) largest = std::max(largest, staged_experts(weights(), i));
      if (!places_[i] && stages_weights(options_)) largest = std::max(largest, staged_dense(weights(), i));
    }
    return largest;
  }

  [[nodiscard]] Bytes staged_output() const {
    return output_ || options_.one_output || !stages_weights(options_) ? 0 : model_.weights.output;
  }

  /// Where rows are split, the main GPU alone has a graph.
  [[nodiscard]] bool works(const DeviceNeed& need, const ComputePlace& place) const {
    if (options_.mode == SplitMode::Row) return need.gpu == options_.main_gpu;
    return need.layers > 0 || need.weights > 0 || output_ == need.gpu || place.staged > 0;
  }

  const Model& model_;
  const LlamaCppOptions& options_;
  std::vector<std::optional<std::size_t>> places_;
  std::optional<std::size_t> output_;  ///< Where logits are computed: with the output matrix.
  std::optional<ModelWeights> rest_ = {};
  std::vector<DeviceNeed> devices_;
};

}  // namespace

Result<void> LlamaCppOptions::validate() const {
  if (auto valid = check_context(cache.context); !valid) return valid;
  if (cache.sequences > cache.context) {
    return fail(ErrorCode::InvalidArgument, format_text("a context of {} tokens is not one for each of {} sequences",
                                                        cache.context, cache.sequences));
  }
  if (cache.micro_batch == 0) return fail(ErrorCode::InvalidArgument, "the micro-batch must be at least one token");
  if (!split.empty() && split.size() != gpus) {
    return fail(ErrorCode::InvalidArgument, format_text("the split has {} shares for {} GPUs", split.size(), gpus));
  }
  const double all = std::accumulate(split.begin(), split.end(), 0.0);
  const auto is_share = [](double share) { return std::isfinite(share) && share >= 0; };
  if (!std::all_of(split.begin(), split.end(), is_share) || (!split.empty() && !(all > 0 && std::isfinite(all)))) {
    return fail(ErrorCode::InvalidArgument, "the shares of a split must not be negative, and one of them more than 0");
  }
  if (gpus > 0 && main_gpu >= gpus)
    return fail(ErrorCode::InvalidArgument, format_text("the main GPU is {}, and there are {}", main_gpu, gpus));
  return {};
}

std::vector<std::optional<std::size_t>> place_layers(std::size_t layers, const LlamaCppOptions& options) {
  std::vector<std::optional<std::size_t>> places(layers + 1);
  const auto wanted = std::min<std::uint64_t>(options.gpu_layers.value_or(layers + 1), layers + 1);
  if (options.gpus == 0 || wanted == 0) return places;
  const bool has_output = wanted > layers || (options.output_first && options.fork == LlamaCppFork::Mainline);
  const auto first = layers + (has_output ? 1 : 0) - wanted;
  const auto shares = cumulative_shares(options);
  for (std::size_t i = first; i <= layers && i - first < wanted; ++i) {
    const double at = static_cast<double>(i - first) / static_cast<double>(wanted);
    const auto gpu = static_cast<std::size_t>(std::upper_bound(shares.begin(), shares.end(), at) - shares.begin());
    places[i] = std::min(gpu, options.gpus - 1);
  }
  return places;
}

std::vector<DeviceNeed> llamacpp_need(const Model& model, const LlamaCppOptions& options) {
  return Plan(model, options).devices();
}

}  // namespace dualgpuopt::memory
