// A whole file as text, with errors that say why not; private to the library.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {

/// The file's bytes. Errors: NotFound, PermissionDenied, or Io with the system's words, also for a file that is larger
/// than `most` bytes. The message does not name the file: callers put it in front as context.
[[nodiscard]] Result<std::string> read_text_file(const std::filesystem::path& file, std::size_t most);

}  // namespace dualgpuopt::memory
