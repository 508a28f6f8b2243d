// The parser behind read_safetensors(), for bytes from anywhere.
#pragma once

#include <vector>

#include "dualgpuopt/memory/models/safetensors.h"
#include "models/byte_reader.h"

namespace dualgpuopt::memory {

/// Errors: ParseFailed, and the message does not name the file.
[[nodiscard]] Result<std::vector<SafetensorsTensor>> parse_safetensors(ByteReader& bytes);

}  // namespace dualgpuopt::memory
