// Which GPUs' device files a process uses: that it does is seen in the kernel, whatever a driver's list says.
#pragma once

#include <string>
#include <vector>

#include "dualgpuopt/memory/processes/process_table.h"

namespace dualgpuopt::memory {

/// Whether a path is a GPU's device file: `/dev/nvidia…`, `/dev/dri/renderD…`, `/dev/dri/card…`, `/dev/kfd`, `/dev/dxg`
/// (WSL).
[[nodiscard]] bool is_gpu_device_file(std::string_view path);

/// The device files of GPUs that a process has open or mapped, each once, sorted. Errors: NotFound when there is no
/// such process, PermissionDenied when its files may not be looked at, Io. What it mapped is looked at only where
/// nothing is open: the kernel may keep the caller waiting for that while the process is stuck in a driver.
[[nodiscard]] Result<std::vector<std::string>> gpu_device_files(pid_t pid, const std::filesystem::path& root = "/");

}  // namespace dualgpuopt::memory
