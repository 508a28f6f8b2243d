// gpumem: the command line and its subcommands.
#pragma once

namespace dualgpuopt::memory::cli {

/// Parses and runs; returns the exit code.
int run(int argc, const char* const* argv);

}  // namespace dualgpuopt::memory::cli
