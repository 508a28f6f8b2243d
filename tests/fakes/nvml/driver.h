// What every call goes through: one lock, the scenario brought up to date, counting, hangs, faults.
#pragma once

#include <pthread.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "fakes/nvml/codes.h"
#include "fakes/nvml/driver_time.h"
#include "fakes/nvml/nvml_fake.h"
#include "fakes/nvml/story/story.h"
#include "fakes/nvml/symbols.h"

namespace nvml_fake {

/// All that the library knows. There is one, `driver()`, and Entry holds its lock.
struct Driver {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
  NvmlFakeState state{};
  unsigned counts[kSymbols.size()] = {};
  DriverTime time;
  Story* story = nullptr;  ///< Owned. Not a unique_ptr: calls may still hang when static objects are destroyed.
  unsigned stories = 0;    ///< How many there have been: a hang ends with its story.
  char story_file[4096] = "";
  bool ended = false;  ///< The process ends: what hangs goes on hanging, without the scenario.
};
[[nodiscard]] Driver& driver();

/// Holds the lock.
class Lock {
 public:
  Lock() { pthread_mutex_lock(&driver().mutex); }
  ~Lock() { pthread_mutex_unlock(&driver().mutex); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  /// Gives the lock up until somebody changes something, or a millisecond has passed.
  static void wait_a_moment();
};

/// A call of an exported function, from its beginning to its end: counted, delayed as the scenario says, and alone.
class Entry {
 public:
  explicit Entry(const CallSite& site);

  [[nodiscard]] NvmlFakeState& state() const { return driver().state; }
  [[nodiscard]] std::chrono::nanoseconds now() const { return driver().time.now(); }
  /// Brings up to date what the scenario says of all devices.
  void refresh();

  // Each gives the code to return, or success for a call that may answer. All may hang first.
  /// Initialising, before there is anything else.
  [[nodiscard]] Code admit_init();
  /// About no device.
  [[nodiscard]] Code admit();
  /// About a device, whose memory and processes are up to date then. Handles are addresses of devices.
  [[nodiscard]] Code admit(NvmlFakeDevice* device);
  /// Looking a device up; then, when it is found, whether it may be handed out.
  [[nodiscard]] Code admit_lookup();
  [[nodiscard]] Code admit_found(NvmlFakeDevice& device);
  /// Whether waiting for events of this device makes no sense any more.
  [[nodiscard]] bool is_lost(unsigned device) const;

 private:
  void take_its_time() const;
  [[nodiscard]] Judgement judge(std::optional<unsigned> device);
  [[nodiscard]] bool still_hangs(const Judgement& judgement);
  /// The code with which the scenario makes the call fail then.
  [[nodiscard]] int outlast_hangs(const int& hang, std::optional<unsigned> device);

  Lock lock_;
  CallSite site_;
};

/// Whether it is a GPU, and not an instance of one.
[[nodiscard]] bool is_gpu(const NvmlFakeState& state, const NvmlFakeDevice& device);
/// Whether a GPU has the device in one of its slots; that GPU's index then.
[[nodiscard]] std::optional<unsigned> parent_of(const NvmlFakeState& state, unsigned device);

/// Runs `body(state)` as the answer of a call about no device.
template <typename Body>
Code answer(const CallSite& site, Body body) {
  Entry entry(site);
  if (const auto code = entry.admit(); code != kSuccess) return code;
  return body(entry.state());
}

/// Runs `body(device)` as the answer of a call about a device.
template <typename Body>
Code answer(const CallSite& site, NvmlFakeDevice* device, Body body) {
  Entry entry(site);
  if (const auto code = entry.admit(device); code != kSuccess) return code;
  return body(*device);
}

/// Where the caller wants the answer; it is an error to want it nowhere.
template <typename Value>
Code put(Value* target, const Value& value) {
  if (target == nullptr) return kInvalidArgument;
  *target = value;
  return kSuccess;
}

Code put_text(const char* text, char* target, unsigned length);

}  // namespace nvml_fake
