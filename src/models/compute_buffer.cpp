#include "models/compute_buffer.h"

#include <algorithm>

#include "models/saturated.h"
#include "models/shape_defaults.h"

namespace dualgpuopt::memory {
namespace {

constexpr double kFloat = 4;
constexpr double kHalf = 2;
constexpr double kPipelineCopies = 4;  // GGML_SCHED_MAX_COPIES

/// Residuals, norms and sums that live beside the large intermediates, in rows of the embedding's width.
constexpr double kAttentionRows = 4;
constexpr double kLatentRows = 8;
constexpr double kDenseRows = 3;
constexpr double kExpertRows = 4;
constexpr double kLogitRows = 1;
constexpr double kRowsWithoutExperts = 6;  // of the fork, by a published log
constexpr double kMaskRows = 4;

/// Ops on fewer tokens than this stay where their weights are (ggml-cuda.cu, offload_op).
constexpr std::uint64_t kLeastOffloaded = 32;

/// -amb, where it is not told: what the guides of ik_llama.cpp give.
constexpr double kUsualAttentionLimit = 512.0 * (1 << 20);

/// Of the parts of a graph, in bytes for one micro-batch; as floating point, products of them overflow nothing.
class Graph {
 public:
  Graph(const ModelShape& shape, const LlamaCppOptions& options)
      : shape_(shape),
        options_(options),
        batch_(static_cast<double>(std::min(options.cache.micro_batch, options.cache.context))),
        cells_(static_cast<double>(cache_cells(LayerCache::Full, shape.window, options.cache))),
        heads_(static_cast<double>(shape.heads())),
        width_(static_cast<double>(shape.embedding)) {}

  /// One row for each token.
  [[nodiscard]] double row() const { return kFloat * batch_ * width_; }

  /// Which tokens see which, in f32 as it is put in; one for each kind of cache.
  [[nodiscard]] double masks() const {
    const bool has_windows = shape_.count(LayerCache::Window) > 0;
    const auto window = has_windows ? cache_cells(LayerCache::Window, shape_.window, options_.cache) : 0;
    return kFloat * batch_ * (cells_ + static_cast<double>(window));
  }

  /// The scores of all heads against the whole cache, without flash attention.
  [[nodiscard]] double scores() const {
    const double all = kFloat * batch_ * heads_ * cells_;
    return is_latent() && is_ik() ? limited(all) : all;
  }

  [[nodiscard]] bool has_states() const { return shape_.count(LayerCache::State) > 0; }

  [[nodiscard]] double logits() const {
    const auto sequences = static_cast<double>(std::max<std::uint64_t>(options_.cache.sequences, 1));
    const double rows = options_.one_output ? std::min(sequences, batch_) : batch_;
    return kFloat * rows * static_cast<double>(shape_.vocabulary) + kLogitRows * row();
  }

  /// What flash attention works on where it is latent; else it is less than the feed-forward part.
  [[nodiscard]] double flash_attention(bool is_gpu) const {
    if (!is_latent()) return 0;
    return is_ik() && !options_.works_on_latent ? expanded_cache(is_gpu) : latent_rows();
  }

  [[nodiscard]] double latent_rows() const {
    if (!is_latent()) return 0;
    const auto rank = static_cast<double>(shape_.latent.rank);
    const auto rope = static_cast<double>(shape_.latent.rope);
    const bool is_once = is_ik() && !options_.flash_attention;
    return kFloat * batch_ * heads_ * ((is_once ? 1 : 2) * rank + rope) + kLatentRows * row();
  }

  /// The fork computes up and gate of experts in one operation, with both matrices beside (-fmoe).
  [[nodiscard]] double fused_gates(double matrix) const {
    return shape_.experts.count > 0 ? 2 * matrix + 2 * inner() + row() + masks() / 2 : 0;
  }

  [[nodiscard]] double feed_forward() const { return shape_.experts.count > 0 ? experts() : dense(); }

 private:
  [[nodiscard]] bool is_ik() const { return options_.fork == LlamaCppFork::Ik; }

  [[nodiscard]] bool is_latent() const {
    return shape_.latent.rank > 0 && options_.cache.latent != LatentCache::Expanded;
  }

  /// Whether the product of gate and up takes no place of its own: the fork computes them in one, old builds in place.
  [[nodiscard]] bool has_product_in_place() const { return is_ik() || options_.gates_in_place; }

  /// Gate, up and their product; without gates the way up alone, whose activation works in place.
  [[nodiscard]] double gates() const {
    if (!has_gates(shape_.architecture)) return 1;
    return has_product_in_place() ? 2 : 3;
  }

  [[nodiscard]] double dense() const {
    std::uint64_t widest = 0;
    for (const auto& layer : shape_.layers) widest = std::max(widest, layer.feed_forward);
    return kFloat * batch_ * gates() * static_cast<double>(widest) + kDenseRows * row();
  }

  /// Gates of the experts that a token uses.
  [[nodiscard]] double inner() const {
    return kFloat * batch_ * static_cast<double>(shape_.experts.used) *
           static_cast<double>(shape_.experts.feed_forward);
  }

  /// Besides, the used experts' results. They take the place of gate and up where they fit there.
  [[nodiscard]] double experts() const {
    const double outer = static_cast<double>(shape_.experts.used) * row();
    if (has_product_in_place()) return 2 * inner() + outer + kExpertRows * row();
    return 3 * inner() + (outer > 2 * inner() ? outer : 0) + kExpertRows * row();
  }

  /// Heads are halved until the f32 keys and values of a part of them keep to the limit.
  [[nodiscard]] double limited(double bytes) const {
    const double limit =
        options_.attention_limit ? static_cast<double>(*options_.attention_limit) : kUsualAttentionLimit;
    if (limit <= 0) return bytes;
    double heads = heads_;
    for (; heads > 1 && bytes > limit; heads /= 2) bytes /= 2;
    return bytes;
  }

  /// ik_llama.cpp makes keys and values of every head anew of the latent cache: f32 in parts, f16 whole; on the host
  /// the values are not copied.
  [[nodiscard]] double expanded_cache(bool is_gpu) const {
    const auto& layer = shape_.layers.front();
    const auto key = static_cast<double>(layer.key_length);
    const auto value = static_cast<double>(layer.value_length);
    const double plain_key = key - static_cast<double>(std::min(shape_.latent.rope, layer.key_length));
    const double halves = kHalf * cells_ * heads_ * (key + (is_gpu ? value : 0));
    return limited(kFloat * cells_ * heads_ * (plain_key + value)) + halves + kFloat * batch_ * heads_ * 2 * key;
  }

  const ModelShape& shape_;
  const LlamaCppOptions& options_;
  double batch_, cells_, heads_, width_;
};

bool puts_in_halves(const LlamaCppOptions& options) {
  return options.flash_attention && options.half_masks && options.fork == LlamaCppFork::Mainline;
}

/// As they are put in, and as a layer takes them: flash attention in f16.
double masks_put_in(const Graph& graph, const LlamaCppOptions& options) {
  return puts_in_halves(options) ? graph.masks() / 2 : graph.masks();
}
double masks_used(const Graph& graph, const LlamaCppOptions& options) {
  return options.flash_attention ? graph.masks() / 2 : graph.masks();
}

/// What comes from other devices and, with a pipeline, is kept for each micro-batch under way.
double kept_inputs(const Graph& graph, const LlamaCppOptions& options, const ComputePlace& place) {
  if (!place.is_pipelined) return 0;
  return kPipelineCopies *
         (place.is_first ? masks_put_in(graph, options) + graph.row() : masks_used(graph, options) + 2 * graph.row());
}

/// The masks beside a layer's work; with a pipeline they are kept already, in f32 on the first GPU.
double masks_beside(const Graph& graph, const LlamaCppOptions& options, const ComputePlace& place) {
  const bool is_kept = place.is_pipelined;
  if (!place.is_first) return is_kept ? 0 : masks_used(graph, options);
  if (!is_kept) return masks_put_in(graph, options);
  return options.flash_attention && !puts_in_halves(options) ? masks_used(graph, options) : 0;
}

/// While the first GPU makes f16 masks of f32 ones.
double masks_cast(const Graph& graph, const LlamaCppOptions& options, const ComputePlace& place) {
  if (!place.is_first || place.is_pipelined || !options.flash_attention || puts_in_halves(options)) return 0;
  return 1.5 * graph.masks() + kMaskRows * graph.row();
}

double attention(const Graph& graph, const LlamaCppOptions& options, const ComputePlace& place) {
  if (options.flash_attention) return graph.flash_attention(place.is_gpu);
  return graph.scores() + std::max(graph.latent_rows(), kAttentionRows * graph.row());
}

/// With several GPUs, or layers that keep a state, a second matrix finds no room in the place of the first, which
/// smaller results have taken.
bool holds_two_matrices(const Graph& graph, const LlamaCppOptions& options) {
  return options.gpus > 1 || (graph.has_states() && (puts_in_halves(options) || !options.flash_attention));
}

/// A matrix copied over, beside the work on it.
double staged_work(const Graph& graph, const LlamaCppOptions& options, const ComputePlace& place) {
  if (place.staged == 0) return 0;
  const auto staged = static_cast<double>(place.staged);
  const double one = graph.masks() / 2 + graph.feed_forward() + staged;
  if (options.fork == LlamaCppFork::Ik) return std::max(one, graph.fused_gates(staged));
  return holds_two_matrices(graph, options) ? std::max(one, 2 * staged + graph.row()) : one;
}

double output(const Graph& graph, const ComputePlace& place) {
  if (place.has_output) return graph.logits();
  return place.staged_output > 0 ? static_cast<double>(place.staged_output) + graph.logits() : 0;
}

/// Where experts are computed on the first GPU, attention and what it adds are left.
double layer_work(const Graph& graph, const LlamaCppOptions& options, const ComputePlace& place) {
  const double beside = place.leaves_experts ? kRowsWithoutExperts * graph.row() : graph.feed_forward();
  return std::max(attention(graph, options, place), beside);
}

}  // namespace

bool is_pipelined(const ModelShape& shape, const LlamaCppOptions& options) {
  const bool is_whole = options.gpu_layers.value_or(shape.layers.size() + 1) > shape.layers.size();
  return options.fork == LlamaCppFork::Mainline && options.gpus > 1 && options.mode == SplitMode::Layer && is_whole &&
         options.host_expert_layers == 0 && options.placed.empty() && options.pipeline;
}

bool stages_weights(const LlamaCppOptions& options) {
  return options.host_ops_on_gpu && std::min(options.cache.micro_batch, options.cache.context) >= kLeastOffloaded;
}

bool stages_experts(const ModelShape& shape, const LlamaCppOptions& options) {
  if (!stages_weights(options)) return false;
  if (options.fork == LlamaCppFork::Mainline) return true;
  // The fork counts tokens for each expert (ggml-cuda.cu of ik_llama.cpp).
  const auto batch = std::min(options.cache.micro_batch, options.cache.context);
  return batch / kLeastOffloaded * shape.experts.used > shape.experts.count;
}

Bytes compute_buffer(const ModelShape& shape, const LlamaCppOptions& options, const ComputePlace& place) {
  if (shape.layers.empty()) return 0;
  const Graph graph(shape, options);
  double peak = masks_beside(graph, options, place) + layer_work(graph, options, place);
  peak = std::max({peak, masks_cast(graph, options, place), staged_work(graph, options, place), output(graph, place)});
  return saturated(kept_inputs(graph, options, place) + peak);
}

Bytes host_inputs(const ModelShape& shape, const LlamaCppOptions& options, bool pipelined) {
  if (shape.layers.empty()) return 0;
  const Graph graph(shape, options);
  return saturated(graph.row() + (pipelined ? kPipelineCopies : 1) * masks_put_in(graph, options));
}

}  // namespace dualgpuopt::memory
