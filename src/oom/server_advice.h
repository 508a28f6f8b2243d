// Measures against out-of-memory errors of what serves models: their knobs are the command's. Private to the library.
#pragma once

#include <string>
#include <vector>

#include "dualgpuopt/memory/oom/oom_error.h"

namespace dualgpuopt::memory {

/// llama.cpp, Ollama, vLLM, SGLang and TGI.
[[nodiscard]] bool is_server(OomSource source);
/// Appends what is likely to help, the most likely first.
void advise_server(const OomError& error, std::vector<std::string>& measures);

}  // namespace dualgpuopt::memory
