// Reads a source on a thread that the rest can do without: a driver call may hang for good and cannot be interrupted.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/sources/memory_source.h"

namespace dualgpuopt::memory {

/// When a call is late. At `hand_over` another thread goes on with the other devices; at `give_up` the device is
/// quarantined: it is asked again only after the hung call has come back.
struct ReadDeadlines {
  Duration hand_over{};
  Duration give_up{};

  /// Three quarters of an interval, so that the next tick sees it, and three intervals; at least 0.3 s and 1 s.
  [[nodiscard]] static ReadDeadlines for_interval(Duration interval);
};

/// One reader thread; a late call keeps its thread, and at most kMostThreads are alive. After that nothing is read
/// until one of the calls comes back. Used by one thread, the sampler, except poke(). Destruction waits only for a
/// thread that is not inside the source: hung ones keep source and clock alive and end by themselves.
class SupervisedReader {
 public:
  SupervisedReader(std::shared_ptr<MemorySource> source, std::shared_ptr<Clock> clock);
  ~SupervisedReader();
  SupervisedReader(const SupervisedReader&) = delete;
  SupervisedReader& operator=(const SupervisedReader&) = delete;

  /// Asks for a reading, unless one of the device is waiting or under way already.
  void request(int gpu, ReadDetail detail);
  /// Asks the source to look for its devices again, unless that is waiting or under way already.
  void request_devices();
  /// What it found since the last call; empty if it has found nothing yet, or failed, which readings then show.
  [[nodiscard]] std::optional<std::vector<Device>> collect_devices();
  /// The readings since the last call, in the order in which they came.
  [[nodiscard]] std::vector<Reading> collect();
  /// Hands over and gives up as the deadlines say. Returns the devices that are in quarantine now, with how long
  /// their call has been hanging. Looking for devices can hang as well; that is in nobody's quarantine.
  struct Quarantined {
    int gpu = 0;
    Duration hanging{};
  };
  [[nodiscard]] std::vector<Quarantined> supervise(const ReadDeadlines& deadlines);

  /// Waits until every requested reading is there, somebody pokes, or the deadline passes.
  void wait_until(std::chrono::steady_clock::time_point deadline);
  /// Ends a present or the next wait_until(); from any thread.
  void poke();

  static constexpr int kMostThreads = 4;  ///< One that serves and three that hang.

 private:
  struct Desk;
  static void serve(const std::shared_ptr<Desk>& desk, std::uint64_t thread_id);
  void start_thread();

  std::shared_ptr<Desk> desk_;
};

}  // namespace dualgpuopt::memory
