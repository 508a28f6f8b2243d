// The parser behind read_gguf(), for bytes from anywhere.
#pragma once

#include "dualgpuopt/memory/models/gguf.h"
#include "models/byte_reader.h"

namespace dualgpuopt::memory {

/// Errors: ParseFailed with the place, and the message does not name the file.
[[nodiscard]] Result<GgufHeader> parse_gguf(ByteReader& bytes, const GgufLimits& limits);

}  // namespace dualgpuopt::memory
