// Which objects leave the device: the least valuable first, and no more than suffices.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dualgpuopt/memory/metrics/decision.h"

namespace dualgpuopt::memory {

/// Names an object of an OffloadLedger; never used twice.
using OffloadId = std::uint64_t;

/// What is known of an object when the choice is made.
struct OffloadItem {
  OffloadId id = 0;
  std::string name;
  Bytes bytes = 0;      ///< On the device; at home for one that is to come back.
  double priority = 0;  ///< The higher, the longer it stays.
  MonoTime last_use{};
  std::string obstacle{};  ///< Why it may not be chosen; empty if it may.
};

/// Whether `one` leaves before `other`, and comes back after it. The order of worth: the priority; then how many whole
/// minutes ago it was used; then its size, the larger leaving first, so that few are moved; then which was registered
/// first.
[[nodiscard]] bool is_worth_less(const OffloadItem& one, const OffloadItem& other, MonoTime now);

struct OffloadChoice {
  std::vector<OffloadId> ids;         ///< The chosen, the least valuable first.
  std::vector<OffloadId> ranked;      ///< All, as in `candidates`.
  std::vector<Candidate> candidates;  ///< Its score is how many of the others leave after it.
  Bytes bytes = 0;                    ///< Of the chosen, together.
  bool host_is_short = false;         ///< Some were passed over because the host has no room for them.
};

/// Takes objects in the order of worth until they hold `bytes_to_free`, passing over those that `host_room` has no room
/// for; then leaves out those that what came after them made needless, the most valuable of them first. So without any
/// one of the chosen the others would not suffice, unless all together do not. Pure.
[[nodiscard]] OffloadChoice choose_to_offload(std::vector<OffloadItem> items, Bytes bytes_to_free, Bytes host_room,
                                              MonoTime now);

}  // namespace dualgpuopt::memory
