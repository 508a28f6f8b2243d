// NVML between its initialisation and its shutdown, with the events that it collects meanwhile.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "dualgpuopt/memory/metrics/device_event.h"
#include "sources/nvml_library.h"

namespace dualgpuopt::memory::nvml {

/// Shared by the source and by every call that is under way: the last of them shuts NVML down, so that it never happens
/// under a call that hangs. A process that was forked off inherits a session that is useless to it; there the session
/// only goes away, since shutting it down would disturb the parent's.
class Session {
 public:
  /// Errors: those of Library::open(); Unavailable with the driver's words if it does not start.
  [[nodiscard]] static Result<std::shared_ptr<Session>> open(const std::filesystem::path& library);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] const Library& library() const { return library_; }
  /// False in a process that was forked off after open().
  [[nodiscard]] bool is_ours() const;

  /// Collects the device's errors from now on; a device that reports none is no failure.
  void watch(Handle device);
  struct Event {
    Handle device = nullptr;
    DeviceEvent event;
  };
  /// What has been reported since the last call, at most kMostEvents; stamped `now`. Does not wait.
  [[nodiscard]] std::vector<Event> collect(TimeStamp now) const;

  static constexpr int kMostEvents = 32;

 private:
  explicit Session(Library library);

  Library library_;
  const pid_t process_;
  std::optional<EventSet> events_;  // empty until something is watched
};

}  // namespace dualgpuopt::memory::nvml
