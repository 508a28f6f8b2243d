// An out-of-memory error in words, and as a record.
#pragma once

#include <string>

#include "dualgpuopt/memory/oom/oom_error.h"

namespace dualgpuopt::memory {

/// "PyTorch asked for 2.9 GiB on GPU 0, and 20 MiB of 14.8 GiB were free": a sentence without its full stop.
[[nodiscard]] std::string describe(const OomError& error);

/// One JSON line, measures included; see docs/json.md.
[[nodiscard]] std::string to_json(const OomError& error);

}  // namespace dualgpuopt::memory
