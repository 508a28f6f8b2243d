#include "models/shape_defaults.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace dualgpuopt::memory {
namespace {

// Of every published model with gated delta nets.
constexpr std::uint64_t kCustomaryGroups = 16;
constexpr std::uint64_t kCustomaryKernel = 4;
constexpr std::uint64_t kCustomaryState = 128;

struct Window {
  std::string_view architecture;
  std::uint64_t tokens;
};
// From the published config.json of each family: "sliding_window".
constexpr std::array kWindows{Window{"gpt-oss", 128},  Window{"gemma2", 4096},  Window{"gemma3", 1024},
                              Window{"gemma4", 1024},  Window{"cohere2", 4096}, Window{"gemma3n", 512},
                              Window{"exaone4", 4096}, Window{"llama4", 8192}};

}  // namespace

std::uint64_t state_elements(const StateShape& shape) {
  if (shape.inner == 0 || shape.convolution == 0) return 0;
  const auto groups = shape.groups == 0 ? kCustomaryGroups : shape.groups;
  return (shape.convolution - 1) * (shape.inner + 2 * groups * shape.state) + shape.state * shape.inner;
}

void set_state(ModelShape& shape, StateShape state, std::uint64_t customary_inner) {
  if (customary_attention_interval(shape.architecture) > 0) {
    if (state.inner == 0) state = {kCustomaryKernel, customary_inner, kCustomaryState, kCustomaryGroups};
    if (state.groups == 0) state.groups = kCustomaryGroups;
    shape.state_inner = state.inner;
    shape.state_keys = 2 * state.groups * state.state;
    shape.gated_queries = true;
  }
  shape.state_elements = state_elements(state);
}

std::uint64_t customary_attention_interval(const std::string& architecture) {
  return architecture == "qwen3next" || architecture == "qwen35" || architecture == "qwen35moe" ? 4 : 0;
}

std::uint64_t customary_window(const std::string& architecture) {
  const auto* const found = std::find_if(kWindows.begin(), kWindows.end(),
                                         [&](const Window& window) { return window.architecture == architecture; });
  return found == kWindows.end() ? 0 : found->tokens;
}

}  // namespace dualgpuopt::memory
