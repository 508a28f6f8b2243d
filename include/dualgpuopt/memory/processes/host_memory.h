// How much memory the host could still give away: for GPUs that share it, and for what leaves a GPU.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// `MemAvailable` of proc_meminfo(5): what programs can get without swapping, by the kernel's own estimate. ParseFailed
/// if the text has no such line.
[[nodiscard]] Result<Bytes> parse_available_memory(std::string_view meminfo);
/// The same of ROOT/proc/meminfo; errors carry the file's name.
[[nodiscard]] Result<Bytes> read_available_memory(const std::filesystem::path& root);

/// What this process could still take, and what bounds it.
struct HostRoom {
  Bytes bytes = 0;
  std::string bound_by;  ///< "the host's available memory", or "the limit of the cgroup /a/b".

  friend bool operator==(const HostRoom&, const HostRoom&) = default;
};

/// The least of MemAvailable and of what is left under `memory.max` of this process's cgroup and of each one above it
/// (the unified hierarchy, under ROOT/sys/fs/cgroup). What a cgroup holds counts without `inactive_file` of its
/// `memory.stat`: the kernel drops those pages before it ends a process. Limits of the older hierarchies are not seen.
/// A file that is not there is no limit; one that cannot be read or understood is an error, which names it.
[[nodiscard]] Result<HostRoom> read_host_room(const std::filesystem::path& root = "/");

}  // namespace dualgpuopt::memory
