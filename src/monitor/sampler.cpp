#include "monitor/sampler.h"

#include <algorithm>
#include <utility>

#include "core/format.h"
#include "monitor/interval_policy.h"

namespace dualgpuopt::memory {
namespace {

/// What a measurement may take beyond the time after which the reader gives a device up.
constexpr Duration kMeasurementSlack = std::chrono::milliseconds(500);

}  // namespace

Sampler::Sampler(Engine& engine, std::shared_ptr<MemorySource> source, std::shared_ptr<Clock> clock,
                 const MonitorConfig& config, Outlets outlets)
    : engine_(engine),
      source_(std::move(source)),
      clock_(std::move(clock)),
      config_(config),
      outlets_(std::move(outlets)),
      reader_(source_, clock_),
      interval_(config.polling.usual),
      tick_(clock_->now()),
      rescan_(config_.polling.rescan, tick_) {}

void Sampler::begin() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Sampler::~Sampler() { stop(); }

void Sampler::set_process_interval(Duration interval) {
  if (process_interval_.exchange(interval) <= interval) return;
  hurry_ = true;
  reader_.poke();
}

void Sampler::stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    reader_.poke();
    thread_.join();
  }
  const MutexLock lock(mutex_);
  stopped_ = true;
  answered_.notify_all();
}

void Sampler::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (hurry_.exchange(false) || clock_->now() >= tick_) begin_round();
    request_measurements();
    reader_.wait_until(std::chrono::steady_clock::now() + std::max<Duration>(tick_ - clock_->now(), Duration::zero()));
    if (const auto devices = reader_.collect_devices()) engine_.set_devices(*devices);
    take_in(reader_.collect());
  }
}

void Sampler::begin_round() {
  if (!published_this_round_) publish();  // a reading is late: the others' ages are news too
  watch_over_reader();
  const auto now = clock_->now();
  if (rescan_.is_due(now, engine_.all_can_be_read())) reader_.request_devices();
  for (const auto& track : engine_.tracks()) {
    reader_.request(track.gpu(), detail_for(track, now));
  }
  published_this_round_ = false;
  tick_ = std::max(tick_ + interval_, now);
}

/// Rounds come at the shorter of both paces, so a list that is nearly due is read now rather than a whole round late.
ReadDetail Sampler::detail_for(const DeviceTrack& track, MonoTime now) const {
  const auto wanted = process_interval_.load();
  const bool is_due = track.processes() && now - track.processes()->time.mono >= wanted - wanted / 4;
  return is_due || track.wants_processes(now) ? ReadDetail::MemoryAndProcesses : ReadDetail::Memory;
}

void Sampler::watch_over_reader() {
  for (const auto& hung : reader_.supervise(ReadDeadlines::for_interval(interval_))) {
    engine_.set_silence(hung.gpu, format_text("the driver has not answered for {}", format_duration(hung.hanging)));
  }
}

void Sampler::take_in(std::vector<Reading> readings) {
  if (readings.empty()) return;
  std::vector<EngineEvent> events;
  for (auto& reading : readings) {
    answer_measurements(reading);
    if (auto event = engine_.take(std::move(reading))) events.push_back(std::move(*event));
  }
  publish();
  for (auto& event : events) {
    if (event.alert || event.climb) outlets_.on_event(std::move(event));
  }
}

void Sampler::publish() {
  const auto snapshot = engine_.publish(clock_->stamp(), interval_);
  const auto wanted = std::min(next_interval(config_.polling, *snapshot, interval_), process_interval_.load());
  tick_ = std::min(tick_, clock_->now() + wanted);
  interval_ = wanted;
  published_this_round_ = true;
  outlets_.on_published();
}

Reading Sampler::no_measurement(int gpu, const std::string& why) const {
  return Reading::unavailable(gpu, clock_->stamp(), source_->provenance(), why);
}

Reading Sampler::measure(int gpu, ReadDetail detail) {
  Waiting waiting{gpu, detail, clock_->now(), false, std::nullopt};
  const auto patience = ReadDeadlines::for_interval(config_.polling.usual).give_up + kMeasurementSlack;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  {
    const MutexLock lock(mutex_);
    if (stopped_) return no_measurement(gpu, "the monitor is stopped");
    waiting_.push_back(&waiting);
  }
  reader_.poke();
  const MutexLock lock(mutex_);
  while (!waiting.answer && !stopped_ && answered_.wait_until(mutex_, deadline)) {
  }
  waiting_.remove(&waiting);
  if (waiting.answer) return *std::move(waiting.answer);
  return no_measurement(gpu, stopped_ ? "the monitor is stopped" : "the driver did not answer in time");
}

void Sampler::request_measurements() {
  const MutexLock lock(mutex_);
  for (const auto* waiting : waiting_) {
    if (!waiting->answer) reader_.request(waiting->gpu, waiting->detail);
  }
}

/// A reading of the round may have been under way, without the processes that were asked for: the next one has them, or
/// the source has none.
bool Sampler::answers(const Reading& reading, Waiting& waiting) {
  if (waiting.gpu != reading.gpu || waiting.answer || reading.time.mono < waiting.since) return false;
  const bool has_detail = waiting.detail == ReadDetail::Memory || reading.processes || !reading.ok();
  return has_detail || std::exchange(waiting.has_waited_for_processes, true);
}

void Sampler::answer_measurements(const Reading& reading) {
  const MutexLock lock(mutex_);
  for (auto* waiting : waiting_) {
    if (answers(reading, *waiting)) waiting->answer = reading;
  }
  answered_.notify_all();
}

}  // namespace dualgpuopt::memory
