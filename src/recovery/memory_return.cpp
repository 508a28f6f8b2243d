#include "recovery/memory_return.h"

#include <algorithm>

namespace dualgpuopt::memory {
namespace {

constexpr Bytes kForgiven = 4_MiB;
constexpr Bytes kForgivenShare = 8;

bool is_one_of(const std::vector<ProcessIdentity>& processes, const ProcessMemory& entry) {
  return std::any_of(processes.begin(), processes.end(), [&](const auto& each) { return each.pid == entry.pid; });
}

bool is_alive_one_of(const std::vector<ProcessIdentity>& processes, const ProcessMemory& entry) {
  return entry.presence == ProcessPresence::Alive &&
         std::any_of(processes.begin(), processes.end(),
                     [&](const auto& each) { return each.pid == entry.pid && entry.start_ticks == each.start_ticks; });
}

/// The sum of what all but the victims hold.
SignedBytes others(const std::vector<ProcessIdentity>& victims, const Reading& reading) {
  SignedBytes sum = 0;
  if (!reading.processes) return sum;
  for (const auto& entry : reading.processes->entries) {
    if (!is_one_of(victims, entry)) sum += static_cast<SignedBytes>(entry.used.value_or(0));
  }
  return sum;
}

}  // namespace

Bytes held_by(const std::vector<ProcessIdentity>& processes, const Reading& reading) {
  Bytes sum = 0;
  if (!reading.processes) return sum;
  for (const auto& entry : reading.processes->entries) {
    if (is_alive_one_of(processes, entry)) sum += entry.used.value_or(0);
  }
  return sum;
}

bool has_come_back(Bytes held, const std::vector<ProcessIdentity>& victims, const Reading& before,
                   const Reading& after) {
  const auto forgiven = std::max(kForgiven, held / kForgivenShare);
  if (held <= forgiven) return true;
  auto fall = difference(before.memory->occupied(), after.memory->occupied());
  if (before.processes && after.processes && after.processes->reason.empty()) {
    fall += others(victims, after) - others(victims, before);
  }
  return fall >= static_cast<SignedBytes>(held - forgiven);
}

}  // namespace dualgpuopt::memory
