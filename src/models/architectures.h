// The names of architectures, and which of them are known.
#pragma once

#include <string>

namespace dualgpuopt::memory {

/// What GGUF calls an architecture that config.json names in "model_type": "deepseek_v3" is "deepseek2". The name
/// itself where they do not differ.
[[nodiscard]] std::string gguf_architecture(const std::string& model_type);

/// Whether the matrices, caches and states of its layers are known; another is taken for one like Llama.
[[nodiscard]] bool is_known_architecture(const std::string& architecture);

/// The sentence that says so of one that is not known, or not told.
[[nodiscard]] std::string unknown_architecture_note(const std::string& architecture);

}  // namespace dualgpuopt::memory
