// The names of architectures, and which of them are known.
#pragma once

#include <string>

namespace dualgpuopt::memory {

/// What GGUF calls an architecture that config.json names in "model_type": "deepseek_v3" is "deepseek2". The name
/// itself where they do not differ.
[[nodiscard]] std::string gguf_architecture(const std::string& model_type);

/// Whether the matrices, caches and states of its layers are known; another is taken for one like Llama.
[[nodiscard]] bool is_known_architecture(const std::string& architecture);

/// Models with an encoder, as T5 and BERT; they are not estimated, and `kNoEncoders` says so.
[[nodiscard]] bool has_encoder(const std::string& architecture);
inline constexpr const char* kNoEncoders =
    "this model has an encoder, as T5, Whisper and BERT have: only decoders are estimated";

/// The sentence that says of an architecture that it is not known, or not told.
[[nodiscard]] std::string unknown_architecture_note(const std::string& architecture);

}  // namespace dualgpuopt::memory
