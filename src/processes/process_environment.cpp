#include "dualgpuopt/memory/processes/process_environment.h"

#include "processes/proc_directory.h"
#include "processes/proc_text.h"

namespace dualgpuopt::memory {

Result<std::optional<std::string>> environment_value(pid_t pid, std::string_view name,
                                                     const std::filesystem::path& root) {
  const auto directory = proc::Directory::open(root / "proc", pid);
  if (!directory) return fail(directory.error());
  const auto text = directory->read("environ");
  if (!text) return fail(text.error());
  for (const auto& entry : proc::parse_arguments(*text)) {
    const auto end = entry.find('=');
    if (end != std::string::npos && std::string_view(entry).substr(0, end) == name) return entry.substr(end + 1);
  }
  return std::nullopt;
}

}  // namespace dualgpuopt::memory
