// A monitor that may still be opening, looked at without ever waiting for it.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/monitor/memory_monitor.h"

namespace dualgpuopt::memory::job {

using OpenedMonitor = Result<std::unique_ptr<MemoryMonitor>>;

/// Used by one thread. It is never destroyed while a driver call may hang: whoever has one ends the process instead.
class MemoryWatch {
 public:
  explicit MemoryWatch(std::future<OpenedMonitor> opening) : opening_(std::move(opening)) {}

  /// Waits at most so long for the driver to open. True once it has, or has failed.
  [[nodiscard]] bool wait_until_open(Duration patience);
  /// The monitor; null while it is opening, or if it could not be opened.
  [[nodiscard]] MemoryMonitor* monitor() const { return monitor_.get(); }
  /// Why there is none; empty once there is.
  [[nodiscard]] std::string why_none() const;

  /// Looks whether there is news: the newest snapshot in which a process list or a device's status is another than
  /// before, else null. Starts the monitor when it is open.
  [[nodiscard]] std::shared_ptr<const Snapshot> take_news();
  [[nodiscard]] std::vector<MemoryAlert> take_alerts();
  void set_process_interval(Duration interval);

 private:
  /// What a snapshot says of the job: the lists, kept so that no other can be taken for one of them.
  using Lists = std::vector<std::pair<std::shared_ptr<const ProcessList>, std::string>>;

  /// Alerts on their way from the dispatcher's thread.
  struct Inbox {
    Mutex mutex;
    std::vector<MemoryAlert> alerts DUALGPUOPT_GUARDED_BY(mutex);
  };

  void start();

  std::future<OpenedMonitor> opening_;
  std::unique_ptr<MemoryMonitor> monitor_;
  std::string failure_;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::optional<Subscription> subscription_;
  std::uint64_t seen_ = 0;
  Lists lists_;
  Duration interval_ = Duration::max();
};

}  // namespace dualgpuopt::memory::job
