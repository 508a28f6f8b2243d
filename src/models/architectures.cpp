#include "models/architectures.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/format.h"
#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {
namespace {

using Name = std::string_view;

/// config.json's name and GGUF's, where they differ.
constexpr std::array kNames{
    std::pair<Name, Name>{"bailing_moe", "bailingmoe"},
    std::pair<Name, Name>{"bailing_moe_v2", "bailingmoe2"},
    std::pair<Name, Name>{"cohere", "command-r"},
    std::pair<Name, Name>{"deepseek_v2", "deepseek2"},
    std::pair<Name, Name>{"deepseek_v3", "deepseek2"},
    std::pair<Name, Name>{"deepseek_v32", "deepseek32"},
    std::pair<Name, Name>{"ernie4_5_moe", "ernie4_5-moe"},
    std::pair<Name, Name>{"exaone_moe", "exaone-moe"},
    std::pair<Name, Name>{"falcon_mamba", "mamba"},
    std::pair<Name, Name>{"gemma3_text", "gemma3"},
    std::pair<Name, Name>{"gemma3n_text", "gemma3n"},
    std::pair<Name, Name>{"gemma4_text", "gemma4"},
    std::pair<Name, Name>{"glm4_moe", "glm4moe"},
    std::pair<Name, Name>{"glm_moe_dsa", "glm-dsa"},
    std::pair<Name, Name>{"gpt_bigcode", "starcoder"},
    std::pair<Name, Name>{"gpt_neox", "gptneox"},
    std::pair<Name, Name>{"gpt_oss", "gpt-oss"},
    std::pair<Name, Name>{"granitemoehybrid", "granitehybrid"},
    std::pair<Name, Name>{"hunyuan_v1_dense", "hunyuan-dense"},
    std::pair<Name, Name>{"hunyuan_v1_moe", "hunyuan-moe"},
    std::pair<Name, Name>{"kimi_k2", "deepseek2"},
    std::pair<Name, Name>{"llama4_text", "llama4"},
    std::pair<Name, Name>{"minimax_m2", "minimax-m2"},
    std::pair<Name, Name>{"phi", "phi2"},
    std::pair<Name, Name>{"qwen2_5_vl", "qwen2vl"},
    std::pair<Name, Name>{"qwen2_5_vl_text", "qwen2vl"},
    std::pair<Name, Name>{"qwen2_moe", "qwen2moe"},
    std::pair<Name, Name>{"qwen2_vl", "qwen2vl"},
    std::pair<Name, Name>{"qwen2_vl_text", "qwen2vl"},
    std::pair<Name, Name>{"qwen3_5_moe_text", "qwen35moe"},
    std::pair<Name, Name>{"qwen3_5_text", "qwen35"},
    std::pair<Name, Name>{"qwen3_moe", "qwen3moe"},
    std::pair<Name, Name>{"qwen3_next", "qwen3next"},
    std::pair<Name, Name>{"qwen3_vl_moe_text", "qwen3vlmoe"},
    std::pair<Name, Name>{"qwen3_vl_text", "qwen3vl"},
};

/// Sorted.
constexpr std::array<Name, 88> kKnown{
    "afmoe",      "apertus",    "arcee",          "baichuan",   "bailingmoe",    "bailingmoe2",  "bamba",
    "bloom",      "chatglm",    "codeshell",      "cohere2",    "cohere2moe",    "command-r",    "dbrx",
    "deepseek",   "deepseek2",  "deepseek32",     "dots1",      "ernie4_5",      "ernie4_5-moe", "exaone",
    "exaone-moe", "exaone4",    "falcon",         "gemma",      "gemma2",        "gemma3",       "gemma3n",
    "gemma4",     "glm",        "glm-dsa",        "glm4",       "glm4moe",       "gpt-oss",      "gpt2",
    "gptneox",    "granite",    "granitehybrid",  "granitemoe", "hunyuan-dense", "hunyuan-moe",  "internlm2",
    "jais",       "jamba",      "llama",          "llama4",     "mamba",         "mamba2",       "minicpm",
    "minimax-m2", "ministral",  "ministral3",     "mistral",    "mistral3",      "mixtral",      "mpt",
    "nemotron",   "nemotron_h", "nemotron_h_moe", "olmo",       "olmo2",         "olmo3",        "olmoe",
    "openai-moe", "opt",        "orion",          "persimmon",  "phi2",          "phi3",         "phimoe",
    "qwen",       "qwen2",      "qwen2moe",       "qwen2vl",    "qwen3",         "qwen35",       "qwen35moe",
    "qwen3moe",   "qwen3next",  "qwen3vl",        "qwen3vlmoe", "seed_oss",      "smallthinker", "smollm3",
    "stablelm",   "starcoder",  "starcoder2",     "xverse"};

}  // namespace

std::string gguf_architecture(const std::string& model_type) {
  const auto* const found =
      std::find_if(kNames.begin(), kNames.end(), [&](const auto& names) { return names.first == model_type; });
  return found == kNames.end() ? model_type : std::string(found->second);
}

bool is_known_architecture(const std::string& architecture) {
  return std::binary_search(kKnown.begin(), kKnown.end(), architecture);
}

bool has_encoder(const std::string& architecture) {
  constexpr std::array<Name, 18> encoders{
      "albert", "bart", "bert",       "deberta-v2", "distilbert", "electra", "jina-bert-v2", "mbart",   "modernbert",
      "mpnet",  "mt5",  "nomic-bert", "pegasus",    "roberta",    "t5",      "t5encoder",    "whisper", "xlm-roberta"};
  return std::find(encoders.begin(), encoders.end(), architecture) != encoders.end();
}

std::string unknown_architecture_note(const std::string& architecture) {
  if (architecture.empty()) return "the architecture is not told: the layers are taken for those of Llama";
  return format_text("the architecture {} is not known: its layers are taken for those of Llama",
                     in_quotes(architecture));
}

}  // namespace dualgpuopt::memory
