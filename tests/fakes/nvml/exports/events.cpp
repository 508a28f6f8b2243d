// Waiting for errors: Xids and ECC events.
#include <chrono>
#include <cstring>

#include "fakes/nvml/abi.h"
#include "fakes/nvml/driver.h"

namespace nvml_fake {
namespace {

constexpr unsigned kSets = 16;
constexpr unsigned long long kSupported = kEventEccCorrected | kEventEccUncorrected | kEventXid;

/// What somebody waits for. A device's events count from its registration on.
struct EventSet {
  bool is_used;
  unsigned next;  ///< Number of the event to look at next.
  unsigned long long types[kNvmlFakeDevices];
  unsigned from[kNvmlFakeDevices];
};
EventSet g_sets[kSets];

bool is_set(const EventSet* set) {
  for (const auto& each : g_sets) {
    if (&each == set) return each.is_used;
  }
  return false;
}

bool wants(const EventSet& set, unsigned number, const NvmlFakeEvent& event) {
  return number >= set.from[event.device] && (set.types[event.device] & event.type) != 0;
}

/// Takes the next event that the set waits for.
const NvmlFakeEvent* take(const NvmlFakeState& state, EventSet& set) {
  if (state.event_count > set.next + kNvmlFakeEvents) set.next = state.event_count - kNvmlFakeEvents;
  while (set.next < state.event_count) {
    const auto number = set.next++;
    const auto& event = state.events[number % kNvmlFakeEvents];
    if (wants(set, number, event)) return &event;
  }
  return nullptr;
}

/// Whether one of the devices waited for is lost.
bool is_lost(Entry& entry, const EventSet& set) {
  for (unsigned i = 0; i < kNvmlFakeDevices; ++i) {
    if (set.types[i] != 0 && entry.is_lost(i)) return true;
  }
  return false;
}

Code wait_for_event(Entry& entry, EventSet& set, unsigned timeout_ms, NvmlFakeEvent& event) {
  const auto until = entry.now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    entry.refresh();
    if (!set.is_used || entry.state().initialised <= 0) return kUninitialized;
    if (const auto* taken = take(entry.state(), set)) {
      event = *taken;
      return kSuccess;
    }
    if (is_lost(entry, set)) return kGpuIsLost;
    if (entry.now() >= until) return kTimeout;
    Lock::wait_a_moment();
  }
}

Code wait(const char* symbol, EventSet* set, EventData* target, unsigned timeout_ms, std::size_t size) {
  Entry entry({symbol, kNvmlFakeEventWait});
  if (const auto code = entry.admit(); code != kSuccess) return code;
  if (!is_set(set) || target == nullptr) return kInvalidArgument;
  NvmlFakeEvent event{};
  if (const auto code = wait_for_event(entry, *set, timeout_ms, event); code != kSuccess) return code;
  const EventData data{&entry.state().devices[event.device], event.type, event.data, event.gpu_instance,
                       event.compute_instance};
  std::memcpy(static_cast<void*>(target), &data, size);
  return kSuccess;
}

}  // namespace
}  // namespace nvml_fake

using namespace nvml_fake;

extern "C" {

int nvmlEventSetCreate(EventSet** target) {
  return answer({__func__, kNvmlFakeEventSetCreate}, [&](const NvmlFakeState& state) {
    for (auto& set : g_sets) {
      if (set.is_used) continue;
      set = {};
      set.is_used = true;
      set.next = state.event_count;
      return put(target, &set);
    }
    return kInsufficientResources;
  });
}

int nvmlEventSetFree(EventSet* set) {
  return answer({__func__, kNvmlFakeEventSetFree}, [&](const NvmlFakeState&) {
    if (!is_set(set)) return kInvalidArgument;
    set->is_used = false;
    return kSuccess;
  });
}

int nvmlDeviceGetSupportedEventTypes(NvmlFakeDevice* device, unsigned long long* types) {
  return answer({__func__, kNvmlFakeRegisterEvents}, device,
                [&](const NvmlFakeDevice&) { return put(types, kSupported); });
}

int nvmlDeviceRegisterEvents(NvmlFakeDevice* device, unsigned long long types, EventSet* set) {
  return answer({__func__, kNvmlFakeRegisterEvents}, device, [&](const NvmlFakeDevice& found) {
    if (!is_set(set)) return kInvalidArgument;
    if ((types & ~kSupported) != 0) return kNotSupported;
    const auto index = &found - driver().state.devices;
    if (set->types[index] == 0) set->from[index] = driver().state.event_count;
    set->types[index] |= types;
    return kSuccess;
  });
}

int nvmlEventSetWait(EventSet* set, EventData* data, unsigned timeout_ms) {
  return wait(__func__, set, data, timeout_ms, kOldEventDataSize);
}

int nvmlEventSetWait_v2(EventSet* set, EventData* data, unsigned timeout_ms) {
  return wait(__func__, set, data, timeout_ms, sizeof(EventData));
}

}  // extern "C"
