// How much GPU memory a job may hold.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory::job {

/// Over all GPUs together, or GPU by GPU; GPUs that are not named have no limit.
struct Budget {
  std::optional<Bytes> total;
  std::map<int, Bytes> by_gpu;

  friend bool operator==(const Budget&, const Budget&) = default;
};

/// Reads "20GiB" (over all GPUs) or "0:20GiB,1:8GiB" (of each). Errors (ParseFailed) name the part that is wrong.
[[nodiscard]] Result<Budget> parse_budget(std::string_view text);

/// "20.0 GiB", or "20.0 GiB on GPU 0, 8.0 GiB on GPU 1".
[[nodiscard]] std::string describe(const Budget& budget);

}  // namespace dualgpuopt::memory::job
