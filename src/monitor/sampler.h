// The sampling thread: asks the reader, feeds the engine, publishes, and waits for nobody.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <thread>

#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/metrics/memory_port.h"
#include "monitor/engine.h"
#include "monitor/rescan_policy.h"
#include "monitor/supervised_reader.h"

namespace dualgpuopt::memory {

/// Samples from begin() to stop(). The outlets run on the sampling thread and must not block.
class Sampler final : public MemoryPort {
 public:
  struct Outlets {
    std::function<void(EngineEvent)> on_event;  ///< After the snapshot that shows it was published.
    std::function<void()> on_published;
  };

  /// `engine` and `config` must outlive the sampler, and the engine is its alone until stop().
  Sampler(Engine& engine, std::shared_ptr<MemorySource> source, std::shared_ptr<Clock> clock,
          const MonitorConfig& config, Outlets outlets);
  ~Sampler() override;

  /// Looks for the devices before the next readings; before begin(), or from outlets.
  void look_for_devices() { rescan_.ask(); }
  /// Process lists, and memory with them, are read at least this often from now on; from any thread.
  void set_process_interval(Duration interval);
  /// Starts the thread; once.
  void begin();
  /// Ends the thread; measurements that are waited for, and later ones, are answered as unavailable.
  void stop();

  /// For the recovery worker: a reading that was begun after the call.
  [[nodiscard]] Reading measure(int gpu, ReadDetail detail) override;

 private:
  /// Somebody in measure().
  struct Waiting {
    int gpu = 0;
    ReadDetail detail = ReadDetail::Memory;
    MonoTime since;
    bool has_waited_for_processes = false;
    std::optional<Reading> answer;
  };

  void run(const std::stop_token& stop);
  void begin_round();
  [[nodiscard]] ReadDetail detail_for(const DeviceTrack& track, MonoTime now) const;
  void watch_over_reader();
  void take_in(std::vector<Reading> readings);
  void publish();
  void request_measurements();
  [[nodiscard]] static bool answers(const Reading& reading, Waiting& waiting);
  void answer_measurements(const Reading& reading);
  [[nodiscard]] Reading no_measurement(int gpu, const std::string& why) const;

  Engine& engine_;
  const std::shared_ptr<MemorySource> source_;
  const std::shared_ptr<Clock> clock_;
  const MonitorConfig& config_;
  const Outlets outlets_;
  SupervisedReader reader_;
  std::atomic<Duration> process_interval_{Duration::max()};
  std::atomic<bool> hurry_{false};  // the process interval became shorter: the present wait may be too long

  // The sampling thread's own.
  Duration interval_;
  MonoTime tick_;
  RescanPolicy rescan_;
  bool published_this_round_ = true;

  Mutex mutex_;
  Condition answered_;
  std::list<Waiting*> waiting_ DUALGPUOPT_GUARDED_BY(mutex_);
  bool stopped_ DUALGPUOPT_GUARDED_BY(mutex_) = false;

  std::jthread thread_;
};

}  // namespace dualgpuopt::memory
