// The headers of safetensors files: names, shapes and sizes, without a byte of the weights.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/models/model_weights.h"

namespace dualgpuopt::memory {

struct SafetensorsTensor {
  std::string name;
  std::string type;  ///< "BF16", "F8_E4M3" and the like.
  Bytes bytes = 0;
};

/// The table of one file (github.com/huggingface/safetensors, "Format"): eight bytes of length and so much JSON, of
/// which at most 16 MiB are read. Each tensor's bytes are those between its offsets, which must lie within the file.
/// Errors: NotFound, Io, ParseFailed with the file's name and what was expected.
[[nodiscard]] Result<std::vector<SafetensorsTensor>> read_safetensors(const std::filesystem::path& file);

/// Of a file, or of all "*.safetensors" in a folder, in the order of their names. NotFound where a folder has none.
[[nodiscard]] Result<std::vector<SafetensorsTensor>> read_safetensors_model(const std::filesystem::path& path);

/// By the names that transformers gives: "model.layers.7.…", "model.embed_tokens.weight".
[[nodiscard]] ModelWeights weights_of(const std::vector<SafetensorsTensor>& tensors);

}  // namespace dualgpuopt::memory
