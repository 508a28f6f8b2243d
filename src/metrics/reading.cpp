#include "dualgpuopt/memory/metrics/reading.h"

namespace dualgpuopt::memory {

std::string_view to_string(Provenance provenance) {
  switch (provenance) {
    case Provenance::Driver: return "driver";
    case Provenance::Simulated: return "simulated";
    case Provenance::Replayed: return "replayed";
  }
  return "unknown";
}

std::string_view to_string(DeviceStatus status) {
  switch (status) {
    case DeviceStatus::Ok: return "ok";
    case DeviceStatus::Stale: return "stale";
    case DeviceStatus::Unavailable: return "unavailable";
  }
  return "unknown";
}

std::string_view to_string(UsedMeaning meaning) {
  switch (meaning) {
    case UsedMeaning::WithoutReserved: return "without_reserved";
    case UsedMeaning::WithReserved: return "with_reserved";
    case UsedMeaning::Estimate: return "estimate";
  }
  return "unknown";
}

std::string_view to_string(ProcessKind kind) {
  switch (kind) {
    case ProcessKind::Compute: return "compute";
    case ProcessKind::Graphics: return "graphics";
    case ProcessKind::ComputeAndGraphics: return "compute_and_graphics";
    case ProcessKind::Mps: return "mps";
  }
  return "unknown";
}

std::string_view to_string(ProcessPresence presence) {
  switch (presence) {
    case ProcessPresence::Alive: return "alive";
    case ProcessPresence::Zombie: return "zombie";
    case ProcessPresence::Gone: return "gone";
    case ProcessPresence::Unseen: return "unseen";
  }
  return "unknown";
}

std::optional<double> MemoryUse::occupied_percent() const {
  if (!total || *total == 0) return std::nullopt;
  return 100.0 * static_cast<double>(occupied()) / static_cast<double>(*total);
}

MemoryUse MemoryUse::from_used_and_total(Bytes used, std::optional<Bytes> total) {
  MemoryUse use;
  use.used = used;
  use.total = total;
  if (total) use.free = *total > used ? *total - used : 0;
  return use;
}

std::optional<Bytes> ProcessList::attributed() const {
  if (!reason.empty()) return std::nullopt;
  Bytes sum = 0;
  for (const auto& entry : entries) {
    if (!entry.used) return std::nullopt;
    sum += *entry.used;
  }
  return sum;
}

std::optional<SignedBytes> Reading::unattributed() const {
  const auto attributed = processes ? processes->attributed() : std::nullopt;
  if (!memory || !attributed) return std::nullopt;
  return difference(memory->used, *attributed);
}

Reading Reading::unavailable(int gpu, TimeStamp time, Provenance provenance, std::string reason) {
  Reading reading;
  reading.gpu = gpu;
  reading.time = time;
  reading.provenance = provenance;
  reading.reason = std::move(reason);
  return reading;
}

}  // namespace dualgpuopt::memory
