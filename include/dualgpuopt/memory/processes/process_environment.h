// What a process was started with in its environment.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dualgpuopt/memory/processes/process_table.h"

namespace dualgpuopt::memory {

/// The value of an environment variable when the process was started; empty if it had none of that name. It is the
/// process's own to overwrite: evidence, not proof. Errors: NotFound when there is no such process, PermissionDenied,
/// Io. Environments of more than 256 KiB are read up to there.
[[nodiscard]] Result<std::optional<std::string>> environment_value(pid_t pid, std::string_view name,
                                                                   const std::filesystem::path& root = "/");

}  // namespace dualgpuopt::memory
