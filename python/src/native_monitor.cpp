#include "native_monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <stdexcept>
#include <thread>

#include "dualgpuopt/memory/core/units.h"
#include "dualgpuopt/memory/daemon/config.h"
#include "dualgpuopt/memory/sources/make_source.h"
#include "dualgpuopt/memory/sources/simulated.h"
#include "outside.h"
#include "python_source.h"

namespace nb = nanobind;

namespace dualgpuopt::memory::python {
namespace {

using namespace std::chrono_literals;

/// How soon somebody who waits sees that the monitor was closed, or a signal for Python.
constexpr Duration kLook = 50ms;
/// A driver that cannot say in time which GPU this is gets a third of the time for opening.
constexpr int kLookupsInTime = 3;

[[noreturn]] void raise(const Error& error) {
  if (error.code() == ErrorCode::InvalidArgument || error.code() == ErrorCode::ParseFailed) {
    throw std::invalid_argument(error.describe());
  }
  throw std::runtime_error(error.describe());
}

template <typename T>
T value_of(Result<T> result) {
  if (!result) raise(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// Not more than a day, so that no sum of times overflows.
Duration to_duration(double seconds) {
  return std::chrono::duration_cast<Duration>(Seconds(std::clamp(seconds, 0.0, 86400.0)));
}

struct Opening {
  std::string source;
  std::string python_provenance;
  bool wake = false;
  Duration patience{};
  std::shared_ptr<Exchange> sources;
};

Provenance provenance_of(const std::string& name) {
  for (const auto each : {Provenance::Driver, Provenance::Simulated, Provenance::Replayed}) {
    if (to_string(each) == name) return each;
  }
  throw std::invalid_argument(fmt::format("the provenance is '{}'; expected driver, simulated or replayed", name));
}

/// A scenario's text has more than one line, its name and a file's name have not.
bool is_scenario_text(const std::string& source) {
  return source.rfind("sim:", 0) == 0 && source.find('\n') != std::string::npos;
}

Result<std::unique_ptr<MemorySource>> open_source(const Opening& opening, const Clock& clock) {
  if (!opening.python_provenance.empty()) {
    return std::make_unique<PythonSource>(opening.source, provenance_of(opening.python_provenance), opening.sources,
                                          clock);
  }
  if (is_scenario_text(opening.source)) {
    auto scenario = parse_scenario(std::string_view(opening.source).substr(4));
    if (!scenario) return fail(std::move(scenario.error()));
    return std::make_unique<SimulatedSource>(std::move(*scenario), clock);
  }
  SourceSettings settings{opening.wake ? WakePolicy::Wake : WakePolicy::LeaveAsleep};
  settings.patience = std::min(settings.patience, opening.patience / kLookupsInTime);
  return make_source(opening.source, clock, settings);
}

using Opened = Result<std::unique_ptr<MemoryMonitor>>;

Opened open_monitor(const Opening& opening, const std::shared_ptr<Clock>& clock, const MonitorConfig& config) {
  auto source = open_source(opening, *clock);
  if (!source) return fail(std::move(source.error()));
  return MemoryMonitor::create(std::move(*source), clock, config);
}

/// A driver can hang while it opens, and nothing ends that call: it keeps the thread that it was made on.
Opened open_in_time(const Opening& opening, const std::shared_ptr<Clock>& clock, const MonitorConfig& config) {
  auto promise = std::make_shared<std::promise<Opened>>();
  auto opened = promise->get_future();
  std::thread([promise, opening, clock, config] {
    try {
      promise->set_value(open_monitor(opening, clock, config));
    } catch (...) {
      promise->set_exception(std::current_exception());
    }
  }).detach();
  if (opened.wait_for(opening.patience) == std::future_status::ready) return opened.get();
  return fail(ErrorCode::Unavailable,
              fmt::format("the driver has not opened for {}; a call may be stuck in it: see the "
                          "kernel's log",
                          format_duration(opening.patience)));
}

/// Whether every device has answered, well or badly, since then.
bool all_answered(const Snapshot& snapshot, MonoTime since) {
  return snapshot.sequence > 0 &&
         std::all_of(snapshot.devices.begin(), snapshot.devices.end(),
                     [since](const DeviceSnapshot& device) { return device.reading.time.mono >= since; });
}

/// A strategy that raised, or that nobody answers for, is a failed rung, which the core knows by an exception.
StrategyAnswer answer_to(Answer answer) {
  if (auto* given = std::get_if<StrategyAnswer>(&answer)) return std::move(*given);
  const auto* text = std::get_if<std::string>(&answer);
  throw std::runtime_error(text != nullptr ? *text : "the strategy gave no answer");
}

}  // namespace

struct NativeMonitor::Shared {
  std::shared_ptr<Clock> clock = std::make_shared<SystemClock>();
  std::shared_ptr<Exchange> sources;
  std::shared_ptr<Exchange> recoveries = std::make_shared<Exchange>();
  std::shared_ptr<EventQueue> events = std::make_shared<EventQueue>();
  std::unique_ptr<MemoryMonitor> monitor;
  std::optional<SnapshotReader> reader;  // guarded by the GIL
  std::mutex lifecycle;                  // taken without the GIL: start, stop and refresh exclude one another
  std::atomic<bool> closed{false};
  Subscription alerts, decisions;

  void listen() {
    alerts = monitor->subscribe(Level::Warning, LevelFilter::AtOrAbove,
                                [queue = events](const MemoryAlert& alert) { queue->push(alert); });
    decisions = monitor->subscribe_decisions([queue = events](const Decision& made) { queue->push(made); });
  }
  void require_open() const {
    if (closed) throw std::runtime_error("the monitor was closed");
  }
};

NativeMonitor::NativeMonitor(std::string source, const std::string& python_provenance, const std::string& configuration,
                             bool wake, double patience_s, std::shared_ptr<Exchange> sources)
    : shared_(std::make_shared<Shared>()) {
  const auto config = value_of(parse_config(configuration));
  shared_->sources = sources;
  const Opening opening{std::move(source), python_provenance, wake, to_duration(patience_s), std::move(sources)};
  const Outside outside;
  shared_->monitor = value_of(open_in_time(opening, shared_->clock, config));
  shared_->reader.emplace(shared_->monitor->reader());
  shared_->listen();
}

NativeMonitor::~NativeMonitor() { close(); }

std::shared_ptr<NativeMonitor::Shared> NativeMonitor::shared() const {
  if (!shared_) throw std::runtime_error("the monitor was closed");
  return shared_;
}

void NativeMonitor::start() {
  const auto shared = this->shared();
  const Outside outside;
  const std::lock_guard lock(shared->lifecycle);
  shared->require_open();
  shared->monitor->start();
}

void NativeMonitor::stop() {
  if (!shared_) return;
  const auto shared = shared_;
  const Outside outside(AtTheEnd::StayInside);
  const std::lock_guard lock(shared->lifecycle);
  shared->monitor->stop();
}

bool NativeMonitor::running() const { return shared_ && !shared_->closed && shared_->monitor->running(); }

void NativeMonitor::close() {
  if (!shared_) return;
  auto shared = std::move(shared_);
  const Outside outside(AtTheEnd::StayInside);
  shared->closed = true;
  if (shared->sources) shared->sources->close();
  shared->recoveries->close();
  shared->events->close();
  if (shared->monitor) shared->monitor->stop();
  shared.reset();
}

void NativeMonitor::abandon() {
  if (shared_) new std::shared_ptr<Shared>(std::move(shared_));  // kept for ever: its threads cannot be joined
  shared_.reset();
  Outside::count() = 0;  // whoever was outside stayed with the parent
}

void NativeMonitor::release_driver() {
  const auto shared = this->shared();
  const Outside outside;
  const std::lock_guard lock(shared->lifecycle);
  value_of(shared->monitor->release_driver());
}

void NativeMonitor::refresh(double timeout_s) {
  const auto shared = this->shared();
  const Outside outside;
  const std::lock_guard lock(shared->lifecycle);
  shared->require_open();
  const auto since = shared->clock->now();
  const auto deadline = since + to_duration(timeout_s);
  const bool was_running = shared->monitor->running();
  if (!was_running) shared->monitor->start();
  auto snapshot = shared->monitor->snapshot();
  while (!shared->closed && shared->clock->now() < deadline && !all_answered(*snapshot, since)) {
    const auto left = std::min(kLook, deadline - shared->clock->now());
    snapshot = shared->monitor->wait_for_snapshot(snapshot->sequence, left);
  }
  if (!was_running) shared->monitor->stop();
}

std::uint64_t NativeMonitor::wait(std::uint64_t after, double timeout_s) {
  const auto shared = this->shared();
  const auto deadline = shared->clock->now() + to_duration(timeout_s);
  auto sequence = after;
  while (true) {
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    const Outside outside;
    const auto left = std::min(kLook, deadline - shared->clock->now());
    sequence = shared->monitor->wait_for_snapshot(after, std::max(left, Duration::zero()))->sequence;
    if (sequence > after || shared->closed || shared->clock->now() >= deadline) return sequence;
  }
}

std::vector<double> NativeMonitor::sampling_times(int gpu, std::size_t count, double timeout_s) {
  const auto shared = this->shared();
  const Outside outside;
  const auto deadline = shared->clock->now() + to_duration(timeout_s);
  std::vector<double> times;
  auto snapshot = shared->monitor->snapshot();
  while (times.size() < count && !shared->closed && shared->clock->now() < deadline) {
    snapshot = shared->monitor->wait_for_snapshot(snapshot->sequence, kLook);
    const auto* device = snapshot->find(gpu);
    if (device == nullptr || !device->reading.ok()) continue;
    const auto time = seconds_since_origin(device->reading.time.mono);
    if (times.empty() || time > times.back()) times.push_back(time);
  }
  return times;
}

void NativeMonitor::step() {
  const auto shared = this->shared();
  const Outside outside;
  const std::lock_guard lock(shared->lifecycle);
  if (shared->monitor->running())
    throw std::runtime_error("step() is for a monitor that does not run: stop() it first");
  shared->monitor->step();
}

const Snapshot& NativeMonitor::snapshot() { return shared()->reader->read(); }

double NativeMonitor::now() const { return seconds_since_origin(shared()->clock->now()); }

const MemoryMonitor& NativeMonitor::monitor() const { return *shared()->monitor; }

std::vector<Event> NativeMonitor::take_events(double timeout_s) {
  const auto events = shared()->events;
  const Outside outside;
  return events->take(to_duration(timeout_s));
}

void NativeMonitor::register_strategy(const std::string& name) {
  const auto strategy = value_of(parse_recovery_strategy(name));
  const auto shared = this->shared();
  const auto ask = [recoveries = shared->recoveries](const RecoveryRequest& request) {
    return answer_to(recoveries->ask(request));
  };
  const Outside outside;
  shared->monitor->register_strategy(strategy, ask);
}

std::shared_ptr<Exchange> NativeMonitor::recoveries() const { return shared()->recoveries; }

}  // namespace dualgpuopt::memory::python
