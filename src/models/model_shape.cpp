#include "dualgpuopt/memory/models/model_shape.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "models/saturated.h"

namespace dualgpuopt::memory {
namespace {

/// Of `period` layers in a row the last one (or the first) has a full cache, the others a window.
struct WindowRule {
  std::string_view architecture;
  std::uint64_t period;
  bool is_first_full = false;
};

constexpr std::array kWindowRules{
    WindowRule{"gemma2", 2},
    WindowRule{"gemma3", 6},
    WindowRule{"gemma3n", 5},
    WindowRule{"gemma4", 6},
    WindowRule{"gpt-oss", 2},
    WindowRule{"cohere2", 4},
    WindowRule{"llama4", 4},
    WindowRule{"exaone4", 4},
    WindowRule{"openai-moe", 2},
    WindowRule{"olmo2", 4},
    WindowRule{"olmo3", 4},
    WindowRule{"afmoe", 4},
    WindowRule{"exaone-moe", 4},
    WindowRule{"smallthinker", 4, true},
    WindowRule{"cohere2moe", 4, true},
};

double amount(std::uint64_t count) { return static_cast<double>(count); }

const WindowRule* window_rule(std::string_view architecture) {
  const auto* const rule = std::find_if(kWindowRules.begin(), kWindowRules.end(),
                                        [&](const WindowRule& r) { return r.architecture == architecture; });
  return rule == kWindowRules.end() ? nullptr : rule;
}

}  // namespace

std::uint64_t StateShape::past_elements() const {
  if (convolution == 0) return 0;
  return saturated((amount(convolution) - 1) * (amount(inner) + 2 * amount(groups) * amount(state)));
}

std::uint64_t StateShape::state_elements() const { return saturated(amount(state) * amount(inner)); }

std::uint64_t ModelShape::heads() const {
  std::uint64_t most = 0;
  for (const auto& layer : layers) most = std::max(most, layer.heads);
  return most;
}

std::uint64_t ModelShape::count(LayerCache cache) const {
  return static_cast<std::uint64_t>(
      std::count_if(layers.begin(), layers.end(), [&](const LayerShape& layer) { return layer.cache == cache; }));
}

LayerCache customary_cache(const std::string& architecture, std::uint64_t layer, std::uint64_t window) {
  if (window == 0) return LayerCache::Full;
  const auto* const rule = window_rule(architecture);
  if (rule == nullptr) return LayerCache::Full;
  return layer % rule->period == (rule->is_first_full ? 0 : rule->period - 1) ? LayerCache::Full : LayerCache::Window;
}

bool has_window_rule(const std::string& architecture) { return window_rule(architecture) != nullptr; }

}  // namespace dualgpuopt::memory
