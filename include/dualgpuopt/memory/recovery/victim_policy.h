// Who may be ended to free memory, and who first.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dualgpuopt/memory/core/units.h"
#include "dualgpuopt/memory/recovery/process_pattern.h"

namespace dualgpuopt::memory {

/// Largest: most bytes on the device. Newest: started last. FastestGrowing: by the bytes that it took while they were
/// looked at twice. LowestPriority: the nicest, and among equals the highest oom_score_adj.
enum class VictimOrder { Largest, Newest, FastestGrowing, LowestPriority };
[[nodiscard]] std::string_view to_string(VictimOrder order);
[[nodiscard]] Result<VictimOrder> parse_victim_order(std::string_view text);

/// Single: the process that was measured. Group: where `gpumem run` made its process group, or VictimPolicy::groups
/// names it, all of that group together; any other process alone.
enum class VictimUnit { Single, Group };
[[nodiscard]] std::string_view to_string(VictimUnit unit);
[[nodiscard]] Result<VictimUnit> parse_victim_unit(std::string_view text);

struct VictimPolicy {
  std::vector<VictimOrder> order{
      VictimOrder::Largest};            ///< The next one decides where the one before finds no difference.
  std::vector<ProcessPattern> prefer;   ///< They come before all others, whatever the order,
  std::vector<ProcessPattern> avoid;    ///< and these after all others. Both: as if neither.
  std::vector<ProcessPattern> only;     ///< Whom the driver lists must match one of them. Empty: all.
  std::vector<std::string> only_users;  ///< Login names or numbers. Empty: all.
  std::vector<std::string> never_users;
  Bytes minimum = 64_MiB;  ///< Who holds less on the device is left alone.
  VictimUnit unit = VictimUnit::Single;
  std::vector<ProcessPattern> groups;  ///< With VictimUnit::Group: whose process groups count as units.
  std::vector<std::string> protect;    ///< Commands, as in ProcessPattern, beside protected_commands().

  /// InvalidArgument unless there is an order, and none of them twice.
  [[nodiscard]] Result<void> validate() const;
};

/// What is never ended: display servers, remote shells, init and systemd, agents of containers and clusters, and the
/// drivers' own daemons, the Multi-Process Service among them. Globs as in ProcessPattern's Command.
[[nodiscard]] const std::vector<std::string_view>& protected_commands();

/// The glob that protects the process; empty if none does.
[[nodiscard]] std::string_view protecting_glob(const ProcessInfo& process, const VictimPolicy& policy);

}  // namespace dualgpuopt::memory
