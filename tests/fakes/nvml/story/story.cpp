#include "fakes/nvml/story/story.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "fakes/nvml/abi.h"
#include "fakes/nvml/story/device_writer.h"
#include "fakes/nvml/symbols.h"

namespace nvml_fake {
namespace {

using namespace std::chrono_literals;

unsigned long long type_of(EventKind kind) {
  switch (kind) {
    case EventKind::EccSingle: return kEventEccCorrected;
    case EventKind::EccDouble: return kEventEccUncorrected;
    default: return kEventXid;
  }
}

void push_event(NvmlFakeState& state, unsigned device, const Event& event) {
  state.events[state.event_count % kNvmlFakeEvents] = {device, type_of(event.kind), event.code, kNoInstance,
                                                       kNoInstance};
  ++state.event_count;
}

std::string other_uuid(const Part& part) {
  auto uuid = part.uuid;
  if (!uuid.empty()) uuid.back() = uuid.back() == 'f' ? 'e' : 'f';
  return uuid;
}

}  // namespace

Story::Story(Scenario scenario, const std::filesystem::path& live)
    : scenario_(std::move(scenario)), faults_(scenario_.faults, Duration{}, scenario_.seed) {
  if (!live.empty()) live_.emplace(live);
  const auto& gpus = scenario_.gpus;
  for (unsigned gpu = 0; gpu < gpus.size(); ++gpu) {
    places_.push_back({{gpu, std::nullopt}, &gpus[gpu].part, nullptr, std::nullopt, 0});
    for (const auto& event : gpus[gpu].events) events_.push_back({event, gpu});
  }
  for (unsigned gpu = 0; gpu < gpus.size(); ++gpu) {
    for (const auto& instance : gpus[gpu].instances) {
      places_.push_back({{gpu, instance.slot}, &instance.part, &instance, std::nullopt, 0});
    }
  }
  std::stable_sort(events_.begin(), events_.end(),
                   [](const PlannedEvent& a, const PlannedEvent& b) { return a.event.at < b.event.at; });
}

void Story::stage(NvmlFakeState& state) {
  std::memset(state.devices, 0, sizeof(state.devices));
  state.gpus = static_cast<unsigned>(scenario_.gpus.size());
  state.event_count = 0;
  next_event_ = 0;
  write_text(scenario_.driver_version, state.driver_version);
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const auto& place = places_[i];
    if (place.instance == nullptr) {
      write_gpu(gpu_of(place), state.devices[i]);
    } else {
      write_instance(*place.instance, gpu_of(place), state.devices[i]);
    }
  }
}

const Fault* Story::find_fault(FaultKind kind, const Place& place, Duration now) const {
  const auto* fault = faults_.find(kind, place.target, now);
  return fault != nullptr || !live_ ? fault : live_->faults().find(kind, place.target, now);
}

void Story::advance(NvmlFakeState& state, Duration now) {
  if (live_) live_->look(scenario_, now);
  for (unsigned gpu = 0; gpu < state.gpus; ++gpu) {
    state.devices[gpu].gone = find_fault(FaultKind::Gone, places_[gpu], now) != nullptr ? 1 : 0;
  }
  set_instances(state, now);
  emit_events(state, now);
}

void Story::set_instances(NvmlFakeState& state, Duration now) const {
  for (unsigned gpu = 0; gpu < state.gpus; ++gpu) std::fill_n(state.devices[gpu].mig_slots, int{kNvmlFakeMigSlots}, 0U);
  for (unsigned i = state.gpus; i < places_.size(); ++i) {
    const auto& place = places_[i];
    auto& device = state.devices[i];
    device.stale = place.instance->span.contains(now) ? 0 : 1;
    if (device.stale == 0) state.devices[*place.target.gpu].mig_slots[*place.target.slot] = i;
    const auto* reused = find_fault(FaultKind::SameHandle, place, now);
    if (reused == nullptr) {
      write_text(place.part->uuid, device.uuid);
    } else {
      write_text(reused->uuid.empty() ? other_uuid(*place.part) : reused->uuid, device.uuid);
    }
  }
}

void Story::emit_events(NvmlFakeState& state, Duration now) {
  while (next_event_ < events_.size() && events_[next_event_].event.at <= now) {
    const auto& [event, device] = events_[next_event_++];
    push_event(state, device, event);
    if (event.kind == EventKind::EccSingle) ++state.devices[device].ecc_corrected;
    if (event.kind == EventKind::EccDouble) ++state.devices[device].ecc_uncorrected;
  }
}

/// The time of what lies on an instance counts from the instance's own beginning.
Duration Story::elapsed(const Place& place, Duration now) {
  return place.instance != nullptr ? now - place.instance->span.start : now;
}

/// What the live control says, and that processes of this machine have ended.
PartOverride Story::overrides_of(const Place& place, Duration now) {
  auto overrides = live_ ? live_->overrides_of(place.target) : PartOverride{};
  for (const auto& process : place.part->processes) {
    if (process.real && real_.is_gone(process, now)) overrides.processes[process.pid].gone = true;
  }
  return overrides;
}

PartUse Story::use_of(const Place& place, Duration now) {
  if (find_fault(FaultKind::SameHandle, place, now) != nullptr) return {};
  const auto slot = place.target.slot ? std::uint64_t{*place.target.slot} + 1 : 0;
  const NoiseKey key{scenario_.seed, slot, *place.target.gpu, 0, 0};
  return measure(*place.part, elapsed(place, now), key, overrides_of(place, now));
}

/// A GPU's own processes, and with them those of its instances.
void Story::fill_gpu(NvmlFakeState& state, unsigned index, Duration now) {
  auto& device = state.devices[index];
  auto use = use_of(places_[index], now);
  write_processes(use, kNoInstance, kNoInstance, device);
  for (const auto slot : device.mig_slots) {
    if (slot == 0) continue;
    const auto part = use_of(places_[slot], now);
    const auto& instance = *places_[slot].instance;
    write_processes(part, instance.gpu_instance, instance.compute_instance, device);
    use.used += part.used;
  }
  const auto capacity = places_[index].part->total - places_[index].part->reserved;
  write_memory(*places_[index].part, std::min(use.used, capacity), device);
}

void Story::fill(NvmlFakeState& state, unsigned index, Duration now, unsigned long long wall_origin_us) {
  if (index >= places_.size()) return;
  auto& place = places_[index];
  const auto version = live_ ? live_->version() : 0;
  if (place.filled_at == now && place.filled_version == version) return;
  place.filled_at = now;
  place.filled_version = version;
  auto& device = state.devices[index];
  clear_processes(device);
  if (place.instance == nullptr) {
    fill_gpu(state, index, now);
    if (device.accounting != 0) fill_accounts(device, place, now, wall_origin_us);
  } else {
    const auto use = use_of(place, now);
    write_processes(use, place.instance->gpu_instance, place.instance->compute_instance, device);
    write_memory(*place.part, use.used, device);
  }
  if (const auto* fault = find_fault(FaultKind::Absurd, place, now)) write_absurd_memory(fault->values, device);
}

void Story::fill_accounts(NvmlFakeDevice& device, const Place& place, Duration now,
                          unsigned long long wall_origin_us) const {
  device.account_count = 0;
  for (const auto& process : place.part->processes) {
    if (process.span.start > now || device.account_count == kNvmlFakeAccounts) continue;
    const bool runs = process.span.contains(now);
    auto& account = device.accounts[device.account_count++];
    account = {process.pid, device.telemetry.gpu_percent, device.telemetry.memory_percent, 0, 0, 0, runs ? 1 : 0};
    account.most_memory = most_held(*place.part, process, now);
    if (!runs) account.time_ms = static_cast<unsigned long long>((*process.span.stop - process.span.start) / 1ms);
    account.start_us = wall_origin_us + static_cast<unsigned long long>(process.span.start / 1us);
  }
}

Judgement Story::judge(const CallSite& site, std::optional<unsigned> device, Duration now) {
  const auto target = device && *device < places_.size() ? places_[*device].target : Target{};
  const auto judgement = faults_.judge(site, target, now);
  if (!live_ || judgement.verdict == Verdict::Hang) return judgement;
  auto live = live_->faults().judge(site, target, now);
  live.live_version = live_->version();
  return live.verdict == Verdict::Answer ? judgement : live;
}

bool Story::still_hangs(const Judgement& judgement, Duration now) const {
  if (judgement.verdict != Verdict::Hang) return false;
  const bool retracted = judgement.live_version != 0 && judgement.live_version != live_->version();
  return !retracted && (!judgement.hangs_until || now < *judgement.hangs_until);
}

bool Story::is_lost(unsigned device, Duration now) const {
  return device < places_.size() && find_fault(FaultKind::Lost, places_[device], now) != nullptr;
}

Duration Story::latency(std::string_view symbol) const {
  auto found = scenario_.latencies.find(symbol);
  if (found == scenario_.latencies.end()) found = scenario_.latencies.find(call_name(symbol));
  return found == scenario_.latencies.end() ? Duration{} : found->second;
}

std::string Story::process_name(unsigned pid, Duration now) const {
  for (const auto& place : places_) {
    for (const auto& process : place.part->processes) {
      if (process.pid == pid && process.span.contains(elapsed(place, now))) return process.name;
    }
  }
  return "";
}

}  // namespace nvml_fake
