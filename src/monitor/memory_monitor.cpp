#include "dualgpuopt/memory/monitor/memory_monitor.h"

#include <condition_variable>
#include <mutex>

#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/monitor/decision_log.h"
#include "dualgpuopt/memory/recovery/terminator.h"
#include "monitor/engine.h"
#include "monitor/guarded_read.h"
#include "monitor/recovery_worker.h"
#include "monitor/rescan_policy.h"
#include "monitor/sampler.h"
#include "monitor/switched_port.h"

namespace dualgpuopt::memory {
namespace {

/// How often a waiter for an alert's subscribers looks whether it should stop.
constexpr Duration kLookForStop = std::chrono::milliseconds(20);
/// A waiter for a snapshot that just misses the notification, which takes no lock, looks again this soon.
constexpr Duration kLookForSnapshot = std::chrono::milliseconds(20);

/// In step() a measurement is a plain read.
class InlinePort final : public MemoryPort {
 public:
  InlinePort(MemorySource& source, const Clock& clock) : source_(source), clock_(clock) {}
  Reading measure(int gpu, ReadDetail detail) override { return guarded_read(source_, gpu, detail, clock_); }

 private:
  MemorySource& source_;
  const Clock& clock_;
};

}  // namespace

/// Owns the parts and connects them; each part knows the next one only through what is passed here.
class MemoryMonitor::Impl {
 public:
  Impl(std::shared_ptr<MemorySource> source, std::shared_ptr<Clock> clock, MonitorConfig config,
       const std::vector<Device>& devices)
      : config_(std::move(config)),
        source_(std::move(source)),
        clock_(std::move(clock)),
        engine_(devices, source_->provenance(), config_),
        rescan_(config_.polling.rescan, clock_->now()),
        port_(std::make_shared<SwitchedPort>(clock_, source_->provenance())),
        ladder_(config_.complete_ladder()),
        alerts_(queue_) {
    if (config_.terminate.enabled) register_terminate();
  }

  void start() DUALGPUOPT_EXCLUDES(lifecycle_);
  void stop() DUALGPUOPT_EXCLUDES(lifecycle_);
  [[nodiscard]] Result<void> release_driver() DUALGPUOPT_EXCLUDES(lifecycle_);
  [[nodiscard]] bool running() DUALGPUOPT_EXCLUDES(lifecycle_);
  const StepReport& step();
  [[nodiscard]] std::shared_ptr<const Snapshot> wait_for_snapshot(std::uint64_t after, Duration timeout);

  [[nodiscard]] const MemorySource& source() const { return *source_; }
  [[nodiscard]] const MonitorConfig& config() const { return config_; }
  [[nodiscard]] const Engine& engine() const { return engine_; }
  [[nodiscard]] const Clock& clock() const { return *clock_; }
  void register_strategy(RecoveryStrategy strategy, RecoveryCallback callback);
  void set_process_interval(Duration interval) DUALGPUOPT_EXCLUDES(lifecycle_);
  void unlock_terminate(int gpu);
  [[nodiscard]] std::shared_ptr<MemoryPort> port() const { return port_; }
  [[nodiscard]] AlertDispatcher& alerts() { return alerts_; }
  [[nodiscard]] CallbackList<Decision>& decisions() { return *decisions_; }
  [[nodiscard]] const DecisionLog& log() const { return log_; }

 private:
  /// The threads between start() and stop(): the sampler posts to the worker, the worker measures through the sampler.
  struct Session {
    explicit Session(Impl& impl)
        : port(impl.port_),
          sampler(impl.engine_, impl.source_, impl.clock_, impl.config_,
                  {[this, &impl](EngineEvent event) { impl.dispatch(std::move(event), worker); },
                   [&impl] { impl.published_.notify_all(); }}),
          worker(impl.ladder_, sampler, *impl.clock_,
                 {[&impl](Decision decision) { impl.post_decision(std::move(decision)); },
                  [&impl](MemoryAlert alert, const std::stop_token& stop) {
                    impl.deliver_before_next(std::move(alert), stop);
                  }}) {
      if (impl.released_) sampler.look_for_devices();
      impl.released_ = false;
      sampler.set_process_interval(impl.process_interval_);
      sampler.begin();
      port->connect(sampler);
    }
    ~Session() {
      sampler.stop();  // first the one that posts, then the worker, whose measurements end now
      port->disconnect();
    }

    const std::shared_ptr<SwitchedPort> port;
    Sampler sampler;
    RecoveryWorker worker;
  };

  void register_terminate();
  void dispatch(EngineEvent event, RecoveryWorker& worker);
  void deliver_before_next(MemoryAlert alert, const std::stop_token& stop);
  void post_decision(Decision decision);
  void look_for_devices(MonoTime now);
  void dispatch_inline(EngineEvent event);
  void climb_inline(const ClimbEvidence& evidence);

  const MonitorConfig config_;
  const std::shared_ptr<MemorySource> source_;
  const std::shared_ptr<Clock> clock_;
  Engine engine_;        // the sampler's while running, else step()'s
  RescanPolicy rescan_;  // of step(); the sampler has its own
  const std::shared_ptr<SwitchedPort> port_;
  std::shared_ptr<Terminator> terminator_;  // null unless enabled
  RecoveryLadder ladder_;
  const std::shared_ptr<DeliveryQueue> queue_ = std::make_shared<DeliveryQueue>();
  AlertDispatcher alerts_;
  const std::shared_ptr<CallbackList<Decision>> decisions_ = std::make_shared<CallbackList<Decision>>();
  DecisionLog log_;
  StepReport report_;

  std::mutex published_mutex_;  // the waiters' own: the sampler notifies without it
  std::condition_variable published_;

  bool released_ = false;  // of start(), release_driver() and step(), of which only one runs at a time

  std::atomic<Duration> process_interval_{Duration::max()};
  Mutex lifecycle_;
  std::optional<Session> session_ DUALGPUOPT_GUARDED_BY(lifecycle_);
};

void MemoryMonitor::Impl::start() {
  const MutexLock lock(lifecycle_);
  if (session_) return;
  queue_->start();
  session_.emplace(*this);
}

void MemoryMonitor::Impl::stop() {
  const MutexLock lock(lifecycle_);
  queue_->stop();
  session_.reset();
}

Result<void> MemoryMonitor::Impl::release_driver() {
  stop();
  const MutexLock lock(lifecycle_);
  if (session_) return fail(ErrorCode::InvalidArgument, "the monitor was started again meanwhile");
  auto released = source_->release();
  if (released) {
    released_ = true;
    rescan_.ask();
  }
  return released;
}

bool MemoryMonitor::Impl::running() {
  const MutexLock lock(lifecycle_);
  return session_.has_value();
}

// On the sampling thread: hands over and returns.
void MemoryMonitor::Impl::dispatch(EngineEvent event, RecoveryWorker& worker) {
  if (config_.dispatch == DispatchOrder::Independent && event.alert) {
    alerts_.post(*std::exchange(event.alert, std::nullopt));
  }
  worker.post(std::move(event));
}

void MemoryMonitor::Impl::deliver_before_next(MemoryAlert alert, const std::stop_token& stop) {
  alerts_.post(std::move(alert));
  while (!stop.stop_requested() && !queue_->wait_until_idle(kLookForStop)) {
  }
}

void MemoryMonitor::Impl::register_strategy(RecoveryStrategy strategy, RecoveryCallback callback) {
  ladder_.register_strategy(strategy, std::move(callback));
  engine_.set_recovery_time(ladder_.recovery_time());
}

void MemoryMonitor::Impl::set_process_interval(Duration interval) {
  const MutexLock lock(lifecycle_);
  process_interval_ = interval;
  if (session_) session_->sampler.set_process_interval(interval);
}

/// It measures through a port of its own, since it may be abandoned and outlive the monitor.
void MemoryMonitor::Impl::register_terminate() {
  terminator_ = std::make_shared<Terminator>(config_.terminate, port_, make_system_processes(), clock_);
  register_strategy(RecoveryStrategy::Terminate, terminate_strategy(terminator_));
}

void MemoryMonitor::Impl::unlock_terminate(int gpu) {
  if (terminator_) terminator_->unlock(gpu);
}

void MemoryMonitor::Impl::post_decision(Decision decision) {
  engine_.set_recovery_time(ladder_.recovery_time());
  log_.add(decision);
  queue_->post([decisions = decisions_, made = std::move(decision)](const std::stop_token& stop) {
    decisions->deliver(made, stop);
  });
}

const StepReport& MemoryMonitor::Impl::step() {
  report_.fresh.clear();
  report_.alerts.clear();
  report_.decisions.clear();
  std::vector<EngineEvent> events;
  const auto now = clock_->now();
  look_for_devices(now);
  for (const auto& track : engine_.tracks()) {
    const auto detail = track.wants_processes(now) ? ReadDetail::MemoryAndProcesses : ReadDetail::Memory;
    auto event = engine_.take(guarded_read(*source_, track.gpu(), detail, *clock_));
    if (!event) continue;
    report_.fresh.push_back(event->gpu);
    if (event->alert || event->climb) events.push_back(std::move(*event));
  }
  report_.snapshot = engine_.publish(clock_->stamp(), config_.polling.usual);
  for (auto& event : events) dispatch_inline(std::move(event));
  return report_;
}

void MemoryMonitor::Impl::look_for_devices(MonoTime now) {
  if (!rescan_.is_due(now, engine_.all_can_be_read())) return;
  if (const auto devices = guarded_enumerate(*source_)) engine_.set_devices(*devices);
}

void MemoryMonitor::Impl::dispatch_inline(EngineEvent event) {
  if (event.climb && config_.dispatch == DispatchOrder::RecoveryFirst) climb_inline(*event.climb);
  if (event.alert) {
    alerts_.deliver(*event.alert);
    report_.alerts.push_back(std::move(*event.alert));
  }
  if (event.climb && config_.dispatch == DispatchOrder::Independent) climb_inline(*event.climb);
}

void MemoryMonitor::Impl::climb_inline(const ClimbEvidence& evidence) {
  if (!ladder_.is_due(evidence, clock_->now())) return;
  InlinePort port(*source_, *clock_);
  port_->connect(port);
  auto decision = ladder_.climb(evidence, port, *clock_, {});
  port_->disconnect();
  engine_.set_recovery_time(ladder_.recovery_time());
  log_.add(decision);
  decisions_->deliver(decision);
  report_.decisions.push_back(std::move(decision));
}

std::shared_ptr<const Snapshot> MemoryMonitor::Impl::wait_for_snapshot(std::uint64_t after, Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  auto snapshot = engine_.board()->latest();
  std::unique_lock lock(published_mutex_);
  while (snapshot->sequence <= after && std::chrono::steady_clock::now() < deadline) {
    published_.wait_until(lock, std::min(deadline, std::chrono::steady_clock::now() + kLookForSnapshot));
    snapshot = engine_.board()->latest();
  }
  return snapshot;
}

Result<std::unique_ptr<MemoryMonitor>> MemoryMonitor::create(std::unique_ptr<MemorySource> source,
                                                             std::shared_ptr<Clock> clock, MonitorConfig config) {
  if (auto valid = config.validate(); !valid) return fail(std::move(valid.error()));
  const auto devices = guarded_enumerate(*source);
  if (!devices) return fail(devices.error());
  if (devices->empty()) return fail(ErrorCode::NotFound, std::string(source->name()) + " has no devices");
  if (config.capacity && source->provenance() == Provenance::Driver) {
    return fail(ErrorCode::InvalidArgument, "capacity takes the place of a recording's totals, not of a driver's");
  }
  std::shared_ptr<MemorySource> shared = std::move(source);
  return std::unique_ptr<MemoryMonitor>(
      new MemoryMonitor(std::make_unique<Impl>(std::move(shared), std::move(clock), std::move(config), *devices)));
}

MemoryMonitor::MemoryMonitor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MemoryMonitor::~MemoryMonitor() { stop(); }

void MemoryMonitor::start() { impl_->start(); }
void MemoryMonitor::stop() { impl_->stop(); }
Result<void> MemoryMonitor::release_driver() { return impl_->release_driver(); }
bool MemoryMonitor::running() const { return impl_->running(); }
const StepReport& MemoryMonitor::step() { return impl_->step(); }

std::vector<Device> MemoryMonitor::devices() const { return impl_->engine().directory().devices(); }
Provenance MemoryMonitor::provenance() const { return impl_->source().provenance(); }
std::string_view MemoryMonitor::source_name() const { return impl_->source().name(); }
const MonitorConfig& MemoryMonitor::config() const { return impl_->config(); }

std::shared_ptr<const Snapshot> MemoryMonitor::snapshot() const { return impl_->engine().board()->latest(); }
SnapshotReader MemoryMonitor::reader() const { return SnapshotReader(impl_->engine().board()); }
std::shared_ptr<const Snapshot> MemoryMonitor::wait_for_snapshot(std::uint64_t after_sequence, Duration timeout) const {
  return impl_->wait_for_snapshot(after_sequence, timeout);
}

Subscription MemoryMonitor::subscribe(Level level, LevelFilter filter, AlertCallback callback) {
  return impl_->alerts().subscribe(level, filter, std::move(callback));
}
Subscription MemoryMonitor::subscribe_decisions(DecisionCallback callback) {
  return impl_->decisions().subscribe(std::move(callback));
}
std::vector<Decision> MemoryMonitor::recent_decisions() const { return impl_->log().all(); }
void MemoryMonitor::register_strategy(RecoveryStrategy strategy, RecoveryCallback callback) {
  impl_->register_strategy(strategy, std::move(callback));
}
void MemoryMonitor::set_process_interval(Duration interval) { impl_->set_process_interval(interval); }
void MemoryMonitor::unlock_terminate(int gpu) { impl_->unlock_terminate(gpu); }
std::shared_ptr<MemoryPort> MemoryMonitor::port() const { return impl_->port(); }

std::vector<HistoryPoint> MemoryMonitor::history(int gpu, HistoryTier tier, MonoTime since) const {
  const auto history = impl_->engine().directory().history(gpu);
  return history == nullptr ? std::vector<HistoryPoint>() : history->points(tier, since);
}
std::optional<WindowSummary> MemoryMonitor::summary(int gpu, Duration window) const {
  const auto history = impl_->engine().directory().history(gpu);
  return history == nullptr ? std::nullopt : history->summary(window, impl_->clock().now());
}

}  // namespace dualgpuopt::memory
