// Files whose contents are replaced at once or not at all; private to the library.
#pragma once

#include <filesystem>
#include <string_view>

#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory {

/// Puts `contents` into a new file beside `file`, flushes it to the disk, and renames it; the old file stays as it is
/// until then, and whatever fails. The new one has the old one's permissions, else those that the process gives. A link
/// is followed; what exists and is no regular file is written to directly. Errors: NotFound, PermissionDenied, or Io
/// with the system's words. The message does not name the file: callers put it in front as context.
[[nodiscard]] Result<void> replace_file(const std::filesystem::path& file, std::string_view contents);

}  // namespace dualgpuopt::memory
