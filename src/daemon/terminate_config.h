// The table [terminate] of a configuration.
#pragma once

#include "dualgpuopt/memory/recovery/terminate_policy.h"
#include "sources/toml_table.h"

namespace dualgpuopt::memory {

void read_terminate(TerminatePolicy& policy, const TomlTable& table);

}  // namespace dualgpuopt::memory
