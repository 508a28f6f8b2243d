// Whom this process may signal.
#pragma once

#include "dualgpuopt/memory/processes/process_table.h"

namespace dualgpuopt::memory {

/// Who we are, as far as kill(2) asks.
struct ProcessRights {
  uid_t user = 0;         ///< Effective.
  bool any_user = false;  ///< CAP_KILL: processes of every user.

  [[nodiscard]] bool may_signal(uid_t owner) const { return any_user || owner == user; }
};

/// The caller's own. Errors as for ProcessTable::read().
[[nodiscard]] Result<ProcessRights> own_rights(const std::filesystem::path& root = "/");

}  // namespace dualgpuopt::memory
