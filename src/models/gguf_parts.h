// The files that a split GGUF model lies in.
#pragma once

#include <filesystem>
#include <vector>

namespace dualgpuopt::memory {

/// Of "name-00002-of-00003.gguf" all three, in order, whether they exist or not; of any other name only that file.
[[nodiscard]] std::vector<std::filesystem::path> gguf_parts(const std::filesystem::path& file);

}  // namespace dualgpuopt::memory
