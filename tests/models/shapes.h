// Models that the tests of this room speak of, with their published dimensions.
#pragma once

#include "dualgpuopt/memory/models/model_source.h"

namespace dualgpuopt::memory::testing {

inline constexpr double kMiB = 1 << 20;
inline double mib(Bytes bytes) { return static_cast<double>(bytes) / kMiB; }

/// Meta's Llama 3 8B.
inline Model llama3_8b(const std::string& file_type = "Q4_K_M") {
  return *parse_hparams(R"({"arch": "llama", "model": "Llama 3 8B", "n_layer": 32, "n_embd": 4096, "n_head": 32,
    "n_head_kv": 8, "n_embd_head_k": 128, "n_embd_head_v": 128, "n_ff": 14336, "n_vocab": 128256, "n_ctx_train": 8192,
    "file_type": ")" + file_type +
                        "\"}");
}

/// DeepSeek V3 and R1.
inline Model deepseek_r1() {
  return *parse_hparams(R"({"arch": "deepseek2", "n_layer": 61, "n_embd": 7168, "n_head": 128, "n_head_kv": 128,
    "n_embd_head_k": 192, "n_embd_head_v": 128, "n_ff": 18432, "n_ff_exp": 2048, "n_vocab": 129280, "n_expert": 256,
    "n_expert_used": 8, "n_lora_kv": 512, "n_lora_q": 1536, "n_rot": 64, "file_type": "Q8_0"})");
}

/// Qwen 3 235B A22B.
inline Model qwen3_235b(const std::string& file_type = "Q8_0") {
  return *parse_hparams(R"({"arch": "qwen3moe", "n_layer": 94, "n_embd": 4096, "n_head": 64, "n_head_kv": 4,
    "n_embd_head_k": 128, "n_embd_head_v": 128, "n_ff": 12288, "n_ff_exp": 1536, "n_vocab": 151936, "n_expert": 128,
    "n_expert_used": 8, "file_type": ")" +
                        file_type + "\"}");
}

/// Mistral 7B with 4 layers: PyTorch itself counts what its training takes (benchmarks/models/training_report.py).
inline Model small_mistral() {
  return *parse_hf_config(R"({"model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 4, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 32768,
    "sliding_window": null, "tie_word_embeddings": false})");
}

}  // namespace dualgpuopt::memory::testing
