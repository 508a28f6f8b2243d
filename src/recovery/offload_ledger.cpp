#include "dualgpuopt/memory/recovery/offload_ledger.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

/// Of an object that is not on the device, or has to stay there.
std::string obstacle_of(const OffloadEntry& entry) {
  if (entry.residence == Residence::Offloaded) return "it is offloaded already";
  if (entry.residence != Residence::OnDevice) return format_text("it is {} already", to_string(entry.residence));
  if (entry.is_silent) return entry.problem;
  return entry.users > 0 ? "it is in use" : "";
}

/// Comparisons with NaN have no order.
OffloadTraits sound(OffloadTraits traits) {
  if (!std::isfinite(traits.priority)) traits.priority = 0;
  return traits;
}

}  // namespace

std::string_view to_string(Residence residence) {
  switch (residence) {
    case Residence::OnDevice: return "on_device";
    case Residence::Leaving: return "leaving";
    case Residence::Offloaded: return "offloaded";
    case Residence::Returning: return "returning";
  }
  return "unknown";
}

OffloadId OffloadLedger::add(OffloadTraits traits, OffloadTiming timing, MonoTime now) {
  entries_[++last_id_] = {.traits = sound(std::move(traits)), .timing = timing, .came = now};
  return last_id_;
}

void OffloadLedger::remove(OffloadId id) { entries_.erase(id); }

const OffloadEntry* OffloadLedger::find(OffloadId id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

std::vector<OffloadId> OffloadLedger::on_gpu(int gpu) const {
  std::vector<OffloadId> ids;
  for (const auto& [id, entry] : entries_) {
    if (entry.traits.gpu == gpu) ids.push_back(id);
  }
  return ids;
}

std::vector<OffloadId> OffloadLedger::all() const {
  std::vector<OffloadId> ids;
  ids.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) ids.push_back(id);
  return ids;
}

OffloadEntry* OffloadLedger::in(OffloadId id, Residence residence) {
  const auto found = entries_.find(id);
  return found == entries_.end() || found->second.residence != residence ? nullptr : &found->second;
}

void OffloadLedger::describe(OffloadId id, OffloadTraits traits) {
  auto* entry = in(id, Residence::OnDevice);
  if (entry == nullptr) return;
  traits.gpu = entry->traits.gpu;  // it stays where it was registered
  entry->traits = sound(std::move(traits));
  if (entry->is_silent) entry->problem.clear();
  entry->is_silent = false;
}

void OffloadLedger::refuse(OffloadId id, std::string why) {
  if (auto* entry = in(id, Residence::OnDevice)) {
    entry->problem = std::move(why);
    entry->is_silent = true;
  }
}

void OffloadLedger::begin_use(OffloadId id) {
  if (const auto found = entries_.find(id); found != entries_.end()) ++found->second.users;
}

void OffloadLedger::end_use(OffloadId id, MonoTime now) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.users == 0) return;
  --found->second.users;
  found->second.came = now;
}

OffloadItem OffloadLedger::item_of(OffloadId id, const OffloadEntry& entry) const {
  const auto& traits = entry.traits;
  const auto last_use = std::max(traits.last_use.value_or(entry.came), entry.came);
  return {id, traits.name, traits.bytes, traits.priority, last_use, {}};
}

OffloadChoice OffloadLedger::choose(int gpu, Bytes bytes_to_free, Bytes host_room,
                                    const std::map<OffloadId, std::string>& passed_over, MonoTime now) const {
  std::vector<OffloadItem> items;
  for (const auto& [id, entry] : entries_) {
    if (entry.traits.gpu != gpu) continue;
    items.push_back(item_of(id, entry));
    const auto passed = passed_over.find(id);
    items.back().obstacle = passed == passed_over.end() ? obstacle_of(entry) : passed->second;
  }
  return choose_to_offload(std::move(items), bytes_to_free, host_room, now);
}

Bytes OffloadLedger::leaving(int gpu) const {
  Bytes bytes = 0;
  for (const auto& [id, entry] : entries_) {
    if (entry.traits.gpu == gpu && entry.residence == Residence::Leaving) bytes += entry.traits.bytes;
  }
  return bytes;
}

bool OffloadLedger::begin_offload(OffloadId id) {
  auto* entry = in(id, Residence::OnDevice);
  if (entry == nullptr || entry->users > 0) return false;
  entry->residence = Residence::Leaving;
  return true;
}

void OffloadLedger::end_offload(OffloadId id, MonoTime now) {
  auto* entry = in(id, Residence::Leaving);
  if (entry == nullptr) return;
  entry->residence = Residence::Offloaded;
  entry->problem.clear();
  entry->wait.on_offloaded(config_, now);
  moves_[entry->traits.gpu].last_offload = now;
}

void OffloadLedger::fail_offload(OffloadId id, std::string why) {
  auto* entry = in(id, Residence::Leaving);
  if (entry == nullptr) return;
  entry->residence = Residence::OnDevice;
  entry->problem = std::move(why);
}

/// Whether something moves on the device, or moved too lately.
std::string OffloadLedger::obstacle_of_moves(const DeviceState& state, MonoTime now) const {
  const auto gpu = state.reading.gpu;
  for (const auto& [id, entry] : entries_) {
    const bool moves = entry.residence == Residence::Leaving || entry.residence == Residence::Returning;
    if (entry.traits.gpu == gpu && moves) return format_text("{} is being moved", entry.traits.name);
  }
  const auto found = moves_.find(gpu);
  if (found == moves_.end()) return {};
  const auto& [last_offload, last_restore] = found->second;
  if (last_offload && now - *last_offload < config_.hold_off) return "something was offloaded a short while ago";
  if (last_restore && state.reading.time.mono <= *last_restore) return "no reading shows the last restore yet";
  return {};
}

RestoreChoice OffloadLedger::choose_restore(const DeviceState& state, MonoTime now) const {
  RestoreChoice choice{std::nullopt, "nothing is offloaded"};
  std::optional<OffloadItem> best;
  for (const auto& [id, entry] : entries_) {
    if (entry.traits.gpu != state.reading.gpu || entry.residence != Residence::Offloaded) continue;
    auto item = item_of(id, entry);
    if (best && is_worth_less(item, *best, now)) continue;
    auto obstacle = now < entry.wait.until() ? "it waits, having left again too soon"
                                             : obstacle_to_restore(state, item.bytes, config_, now);
    if (obstacle.empty()) {
      best = std::move(item);
    } else {
      choice.reason = format_text("{}: {}", item.name, obstacle);
    }
  }
  return best ? RestoreChoice{best->id, ""} : choice;
}

RestoreChoice OffloadLedger::next_restore(const DeviceState& state, MonoTime now) const {
  auto obstacle = obstacle_of_moves(state, now);
  return obstacle.empty() ? choose_restore(state, now) : RestoreChoice{std::nullopt, std::move(obstacle)};
}

bool OffloadLedger::begin_restore(OffloadId id) {
  auto* entry = in(id, Residence::Offloaded);
  if (entry == nullptr) return false;
  entry->residence = Residence::Returning;
  return true;
}

void OffloadLedger::end_restore(OffloadId id, MonoTime now) {
  auto* entry = in(id, Residence::Returning);
  if (entry == nullptr) return;
  entry->residence = Residence::OnDevice;
  entry->problem.clear();
  entry->came = now;
  entry->wait.on_restored(now);
  moves_[entry->traits.gpu].last_restore = now;
}

void OffloadLedger::fail_restore(OffloadId id, std::string why, MonoTime now) {
  auto* entry = in(id, Residence::Returning);
  if (entry == nullptr) return;
  entry->residence = Residence::Offloaded;
  entry->problem = std::move(why);
  entry->wait.on_failed(config_, now);
}

}  // namespace dualgpuopt::memory
