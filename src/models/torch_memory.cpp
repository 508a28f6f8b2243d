#include "models/torch_memory.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "models/layer_matrices.h"

namespace dualgpuopt::memory {
namespace {

double amount(std::uint64_t count) { return static_cast<double>(count); }

bool is_any_of(std::string_view name, const auto& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Families that normalise what attention and feed-forward add, too.
constexpr std::array<std::string_view, 4> kFourNorms{"gemma2", "gemma3", "gemma3n", "gemma4"};
constexpr std::array<std::string_view, 6> kHeadNorms{"qwen3", "qwen3moe", "qwen3next", "gemma3", "gemma3n", "gemma4"};

}  // namespace

TokenWidths token_widths(const ModelShape& shape, const LayerShape& layer) {
  TokenWidths widths;
  widths.embedding = amount(shape.embedding);
  widths.queries = amount(layer.heads) * amount(layer.key_length);
  widths.keys_values = amount(layer.kv_heads) * amount(layer.key_length);
  widths.heads = amount(layer.heads);
  widths.inner = amount(layer.feed_forward);
  if (layer.has_experts) {
    widths.experts = amount(shape.experts.used);
    widths.inner = widths.experts * amount(shape.experts.feed_forward) + amount(shape.experts.shared_feed_forward);
  }
  widths.norms = is_any_of(shape.architecture, kFourNorms) ? 4 : 2;
  widths.normalises_heads = is_any_of(shape.architecture, kHeadNorms);
  return widths;
}

double allocated(double bytes) {
  constexpr double block = 512;
  constexpr double large = 10 << 20;
  constexpr double granule = 2 << 20;
  const double step = bytes < large ? block : granule;
  return std::ceil(bytes / step) * step;
}

double rounding(const ModelShape& shape, double bytes_per_element) {
  double added = 0;
  for (const auto& layer : shape.layers) {
    for (const auto& matrix : layer_matrices(shape, layer)) {
      const double bytes = matrix.elements() * bytes_per_element;
      added += allocated(bytes) - bytes;
    }
  }
  return added;
}

}  // namespace dualgpuopt::memory
