// What `gpumem estimate --runtime vllm` shows.
#pragma once

#include <string>

#include "dualgpuopt/memory/models/vllm.h"

namespace dualgpuopt::memory::cli {

/// A table with a verdict.
[[nodiscard]] std::string vllm_table(const Model& model, const VllmOptions& options);
/// One JSON line.
[[nodiscard]] std::string vllm_json(const Model& model, const VllmOptions& options);

}  // namespace dualgpuopt::memory::cli
