// Work done in a child process, for calls that the kernel may never let go of.
#pragma once

#include <functional>
#include <optional>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/error.h"

namespace dualgpuopt::memory::cli {

/// Runs `action` in a child process, which shares standard output and error, and gives the exit code that it returns.
/// A thread that is stuck in a driver keeps its process from ending, even when it is killed: then the child is left
/// behind and this process can go. Call it while there is only one thread. Errors: Unavailable if the child has not
/// finished after `patience`, or died without a result; Io if none could be made.
[[nodiscard]] Result<int> run_in_child(const std::function<int()>& action, Duration patience);

}  // namespace dualgpuopt::memory::cli
