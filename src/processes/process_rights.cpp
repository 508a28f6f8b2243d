#include "dualgpuopt/memory/processes/process_rights.h"

#include <unistd.h>

#include "processes/proc_directory.h"
#include "processes/proc_text.h"

namespace dualgpuopt::memory {
namespace {

constexpr unsigned kCapKill = 5;  // linux/capability.h

}  // namespace

Result<ProcessRights> own_rights(const std::filesystem::path& root) {
  const auto directory = proc::Directory::open(root / "proc", ::getpid());
  if (!directory) return fail(directory.error());
  const auto text = directory->read("status");
  if (!text) return fail(text.error());
  const auto status = proc::parse_status(*text);
  if (!status) return fail(Error(status.error()).with_context(directory->name_of("status")));
  return ProcessRights{status->effective_user, (status->effective_capabilities >> kCapKill & 1U) != 0};
}

}  // namespace dualgpuopt::memory
