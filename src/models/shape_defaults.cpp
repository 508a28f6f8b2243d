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
constexpr std::uint64_t kSmallWindow = 512;
constexpr std::uint64_t kLayersOfGemma3With4B = 34;
constexpr std::uint64_t kLayersOfGemma4E4B = 42;
constexpr std::uint64_t kLayersOfGemma4E2B = 35;

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_deepseek(const ModelShape& shape) { return shape.architecture == "deepseek2"; }

/// Models of these families share embedding and output up to a width, larger ones do not.
struct TiedUpTo {
  std::string_view architecture;
  std::uint64_t embedding;
};
constexpr std::array kTiedUpTo{TiedUpTo{"qwen2", 2048},   TiedUpTo{"qwen2vl", 2048},  TiedUpTo{"qwen3", 2560},
                               TiedUpTo{"qwen3vl", 2560}, TiedUpTo{"exaone", 2560},   TiedUpTo{"exaone4", 2048},
                               TiedUpTo{"olmo", 2048},    TiedUpTo{"ernie4_5", 1024}, TiedUpTo{"ernie4_5-moe", 2560}};

/// Llama 3.2 with 1 and 3 billion parameters, by width and vocabulary.
bool is_small_llama3(const ModelShape& shape) {
  constexpr std::uint64_t vocabulary = 128256;
  constexpr std::uint64_t widest = 3072;
  return shape.architecture == "llama" && shape.vocabulary == vocabulary && shape.embedding <= widest;
}

/// Phi 4 mini, the one of its family with so many words.
bool is_phi4_mini(const ModelShape& shape) {
  constexpr std::uint64_t vocabulary = 200064;
  return shape.architecture == "phi3" && shape.vocabulary == vocabulary;
}

}  // namespace

StateShape completed_state(const std::string& architecture, StateShape told, std::uint64_t customary_inner) {
  if (customary_attention_interval(architecture) == 0) return told;
  if (told.inner == 0) return {kCustomaryKernel, customary_inner, kCustomaryState, kCustomaryGroups};
  if (told.groups == 0) told.groups = kCustomaryGroups;
  return told;
}

std::uint64_t customary_attention_interval(const std::string& architecture) {
  return architecture == "qwen3next" || architecture == "qwen35" || architecture == "qwen35moe" ? 4 : 0;
}

std::uint64_t customary_window(const std::string& architecture, std::uint64_t layers) {
  const bool is_small = (architecture == "gemma3" && layers < kLayersOfGemma3With4B) ||
                        (architecture == "gemma4" && (layers == kLayersOfGemma4E2B || layers == kLayersOfGemma4E4B));
  if (is_small) return kSmallWindow;
  const auto* const found = std::find_if(kWindows.begin(), kWindows.end(),
                                         [&](const Window& window) { return window.architecture == architecture; });
  return found == kWindows.end() ? 0 : found->tokens;
}

std::uint64_t customary_dense_lead(const ModelShape& shape, std::uint64_t layers) {
  constexpr std::array<std::string_view, 5> one{"deepseek", "dots1", "glm4moe", "bailingmoe2", "ernie4_5-moe"};
  constexpr std::uint64_t experts_of_kimi = 384;
  constexpr std::uint64_t layers_of_glm_355b = 92;
  constexpr std::uint64_t layers_of_deepseek_v3 = 61;
  constexpr std::uint64_t layers_of_ernie_300b = 54;
  if (is_deepseek(shape)) return layers >= layers_of_deepseek_v3 && shape.experts.count != experts_of_kimi ? 3 : 1;
  if (shape.architecture == "glm4moe" && layers >= layers_of_glm_355b) return 3;
  if (shape.architecture == "glm-dsa" || shape.architecture == "deepseek32") return 3;
  if (shape.architecture == "ernie4_5-moe" && layers >= layers_of_ernie_300b) return 3;
  return is_one_of(shape.architecture, one) ? 1 : 0;
}

std::uint64_t customary_shared_experts(const ModelShape& shape) {
  constexpr std::array<std::string_view, 8> one{"glm4moe",   "llama4",    "hunyuan-moe", "bailingmoe2",
                                                "qwen3next", "qwen35moe", "glm-dsa",     "deepseek32"};
  constexpr std::uint64_t experts_of_deepseek_v2 = 160;
  constexpr std::uint64_t experts_of_deepseek_lite = 64;
  const auto count = shape.experts.count;
  if (is_deepseek(shape)) return count == experts_of_deepseek_v2 || count == experts_of_deepseek_lite ? 2 : 1;
  if (shape.architecture == "deepseek" || shape.architecture == "dots1") return 2;
  if (shape.architecture == "ernie4_5-moe") return count == experts_of_deepseek_lite && shape.embedding < 8192 ? 2 : 0;
  return is_one_of(shape.architecture, one) ? 1 : 0;
}

std::uint64_t customary_layers_with_cache(const std::string& architecture, std::uint64_t layers) {
  if (architecture == "gemma3n") return 20;
  if (architecture != "gemma4") return layers;
  return layers == kLayersOfGemma4E4B ? 24 : layers == kLayersOfGemma4E2B ? 15 : layers;
}

std::uint64_t customary_indexer_length(const ModelShape& shape, std::uint64_t layer) {
  constexpr std::uint64_t length = 128;
  constexpr std::uint64_t first = 3;
  constexpr std::uint64_t each = 4;
  constexpr std::uint64_t context_of_glm_5_1 = 202752;
  if (shape.architecture == "deepseek32") return length;
  if (shape.architecture != "glm-dsa") return 0;
  const bool has_all = shape.context > 0 && shape.context <= context_of_glm_5_1;
  return has_all || layer < first || (layer + 2) % each == 0 ? length : 0;
}

std::uint64_t customary_layer_embedding(const std::string& architecture, std::uint64_t layers) {
  return customary_layers_with_cache(architecture, layers) < layers ? 256 : 0;
}

bool has_layers_of_one_part(const std::string& architecture) { return architecture.starts_with("nemotron_h"); }

std::uint64_t customary_unloaded_layers(const std::string& architecture, std::uint64_t layers) {
  constexpr std::uint64_t layers_of_glm_air = 47;
  constexpr std::uint64_t layers_of_glm_355b = 93;
  return architecture == "glm4moe" && (layers == layers_of_glm_air || layers == layers_of_glm_355b) ? 1 : 0;
}

std::uint64_t customary_expert_interval(const ModelShape& shape) {
  constexpr std::uint64_t experts_of_maverick = 128;
  return shape.architecture == "llama4" && shape.experts.count == experts_of_maverick ? 2 : 1;
}

bool has_gates(const std::string& architecture) {
  constexpr std::array<std::string_view, 17> without{
      "gpt2",     "gptneox",   "falcon", "starcoder", "starcoder2", "phi2", "bloom",      "mpt",           "codeshell",
      "nemotron", "persimmon", "arcee",  "apertus",   "bert",       "opt",  "nemotron_h", "nemotron_h_moe"};
  return !is_one_of(architecture, without);
}

bool has_fused_attention(const std::string& architecture) {
  constexpr std::array<std::string_view, 13> fused{"phi2",  "gpt2", "gptneox", "falcon",  "starcoder",
                                                   "bloom", "mpt",  "phi3",    "chatglm", "codeshell",
                                                   "qwen",  "dbrx", "jais"};
  return is_one_of(architecture, fused);
}

bool is_tied_by_custom(const ModelShape& shape) {
  constexpr std::array<std::string_view, 19> families{
      "granitehybrid", "granitemoe", "gemma",      "gemma2",        "gemma3", "gemma3n",    "gemma4",
      "command-r",     "cohere2",    "cohere2moe", "starcoder",     "gpt2",   "starcoder2", "bloom",
      "mpt",           "granite",    "minicpm",    "hunyuan-dense", "opt"};
  if (is_one_of(shape.architecture, families)) return true;
  const auto* const found = std::find_if(kTiedUpTo.begin(), kTiedUpTo.end(), [&](const TiedUpTo& family) {
    return family.architecture == shape.architecture;
  });
  if (found != kTiedUpTo.end()) return shape.embedding <= found->embedding;
  return is_small_llama3(shape) || is_phi4_mini(shape);
}

}  // namespace dualgpuopt::memory
