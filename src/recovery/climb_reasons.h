// Why a climb ended, in one sentence with its numbers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/metrics/decision.h"

namespace dualgpuopt::memory {

/// "clear_cache, reduce_batch".
[[nodiscard]] std::string join_rungs(const std::vector<RecoveryStrategy>& rungs);
/// The rungs that were called, or found busy; not those that were passed over.
[[nodiscard]] std::vector<RecoveryStrategy> tried_rungs(const std::vector<RungRecord>& records);

[[nodiscard]] std::string target_reached_reason(Bytes first_used, Bytes used, Bytes target, RecoveryStrategy last);
[[nodiscard]] std::string callback_succeeded_reason(RecoveryStrategy strategy);
/// Why a rung is not run: it freed nothing so many times in a row.
[[nodiscard]] std::string rests_reason(unsigned failures, Duration rest);
/// `first_used`: by the evidence; above `used` where use fell by itself.
[[nodiscard]] std::string nothing_to_do_reason(Bytes first_used, Bytes used, Bytes target);
[[nodiscard]] std::string exhausted_reason(Bytes used, Bytes target, const std::vector<RecoveryStrategy>& tried);
[[nodiscard]] std::string no_callback_succeeded_reason(const std::vector<RecoveryStrategy>& tried);
[[nodiscard]] std::string no_rungs_reason(const std::vector<RecoveryStrategy>& configured);
/// `provenance` of the readings: where it is the driver's, the configured mode is the reason.
[[nodiscard]] std::string dry_run_reason(Provenance provenance, const std::vector<RecoveryStrategy>& would_try);
/// `last`: the rung after which the measurement failed; empty before the first.
[[nodiscard]] std::string measurement_lost_reason(int gpu, std::optional<RecoveryStrategy> last, std::string_view why);
/// `last`: the last rung that was tried; empty before the first.
[[nodiscard]] std::string stopped_reason(std::optional<RecoveryStrategy> last);
[[nodiscard]] std::string stopped_while_running_reason(RecoveryStrategy strategy);

}  // namespace dualgpuopt::memory
