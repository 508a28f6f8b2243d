// What a Terminator says of what it does, in sentences. Pure.
#pragma once

#include "dualgpuopt/memory/recovery/terminator.h"

namespace dualgpuopt::memory {

/// "use is 10.0 GiB, under the target of 12.0 GiB".
[[nodiscard]] std::string enough_reason(Bytes used, Bytes target);
[[nodiscard]] std::string no_victim_reason(int gpu, Bytes used, Bytes target, std::size_t listed);
/// What an execution would do with the chosen of these, whom it would leave behind with so much.
[[nodiscard]] std::string dry_run_reason(const TerminatePolicy& policy, Provenance provenance,
                                         const std::vector<Candidate>& candidates, Bytes used, Bytes target);
/// All that a report tells, in one line.
[[nodiscard]] std::string describe(const TerminateReport& report);

}  // namespace dualgpuopt::memory
