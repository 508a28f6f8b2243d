#include "monitor/supervised_reader.h"

#include <algorithm>
#include <deque>
#include <thread>

#include "dualgpuopt/memory/core/mutex.h"
#include "monitor/guarded_read.h"

namespace dualgpuopt::memory {
namespace {

using namespace std::chrono_literals;
using SteadyTime = std::chrono::steady_clock::time_point;

/// In the place of a device: the source is to look for its devices.
constexpr int kAllDevices = -1;

struct Request {
  int gpu = 0;
  ReadDetail detail = ReadDetail::Memory;
};

/// How long the end waits for a call that may well come back.
constexpr auto kPatienceAtTheEnd = 250ms;

/// A call inside the source. `late` once another thread has taken over.
struct Call {
  int gpu = 0;
  std::uint64_t thread_id = 0;
  SteadyTime started;
  bool late = false;
};

}  // namespace

/// What sampler and reader threads share; hung threads keep it alive. No lock is held during a call of the source.
struct SupervisedReader::Desk {
  std::shared_ptr<MemorySource> source;
  std::shared_ptr<Clock> clock;

  Mutex mutex;
  Condition work;      // for reader threads
  Condition progress;  // for the sampler
  Condition ended;     // for the destructor
  std::deque<Request> requests DUALGPUOPT_GUARDED_BY(mutex);
  std::vector<Call> calls DUALGPUOPT_GUARDED_BY(mutex);
  std::vector<Reading> readings DUALGPUOPT_GUARDED_BY(mutex);
  std::optional<std::vector<Device>> devices DUALGPUOPT_GUARDED_BY(mutex);
  std::uint64_t serving DUALGPUOPT_GUARDED_BY(mutex) = 0;  // the thread that takes requests; 0: none
  std::uint64_t last_thread DUALGPUOPT_GUARDED_BY(mutex) = 0;
  bool poked DUALGPUOPT_GUARDED_BY(mutex) = false;
  bool closed DUALGPUOPT_GUARDED_BY(mutex) = false;
  int threads DUALGPUOPT_GUARDED_BY(mutex) = 0;

  [[nodiscard]] bool is_busy_with(int gpu) DUALGPUOPT_REQUIRES(mutex) {
    return std::any_of(calls.begin(), calls.end(), [&](const Call& c) { return c.gpu == gpu; }) ||
           std::any_of(requests.begin(), requests.end(), [&](const Request& r) { return r.gpu == gpu; });
  }
  /// Calls the source; what it gives is taken in under the lock.
  void perform(const Request& request) DUALGPUOPT_EXCLUDES(mutex) {
    if (request.gpu == kAllDevices) {
      auto found = guarded_enumerate(*source);
      const MutexLock lock(mutex);
      if (found) devices = std::move(*found);
    } else {
      auto reading = guarded_read(*source, request.gpu, request.detail, *clock);
      const MutexLock lock(mutex);
      readings.push_back(std::move(reading));
    }
  }
  [[nodiscard]] bool is_round_complete() DUALGPUOPT_REQUIRES(mutex) {
    return requests.empty() && std::all_of(calls.begin(), calls.end(), [](const Call& c) { return c.late; });
  }
};

ReadDeadlines ReadDeadlines::for_interval(Duration interval) {
  using std::chrono::milliseconds;
  return {std::max<Duration>(interval * 3 / 4, milliseconds(300)),
          std::max<Duration>(interval * 3, milliseconds(1000))};
}

SupervisedReader::SupervisedReader(std::shared_ptr<MemorySource> source, std::shared_ptr<Clock> clock)
    : desk_(std::make_shared<Desk>()) {
  desk_->source = std::move(source);
  desk_->clock = std::move(clock);
  start_thread();
}

SupervisedReader::~SupervisedReader() {
  std::shared_ptr<MemorySource> source;  // dies here, after the lock, and on this thread when no call is hanging
  const MutexLock lock(desk_->mutex);
  desk_->closed = true;
  desk_->work.notify_all();
  const auto deadline = std::chrono::steady_clock::now() + kPatienceAtTheEnd;
  while (desk_->threads > 0 && desk_->ended.wait_until(desk_->mutex, deadline)) {
  }
  if (desk_->calls.empty()) source = std::move(desk_->source);
}

void SupervisedReader::start_thread() {
  std::uint64_t id = 0;
  {
    const MutexLock lock(desk_->mutex);
    id = ++desk_->last_thread;
    desk_->serving = id;
    ++desk_->threads;
  }
  // Detached: nobody may ever wait for a thread that can be inside the driver. It touches the desk alone.
  std::thread(serve, desk_, id).detach();
}

void SupervisedReader::serve(const std::shared_ptr<Desk>& desk, std::uint64_t thread_id) {
  desk->mutex.lock();
  while (!desk->closed && desk->serving == thread_id) {
    if (desk->requests.empty()) {
      desk->work.wait(desk->mutex);
      continue;
    }
    const Request request = desk->requests.front();
    desk->requests.pop_front();
    desk->calls.push_back({request.gpu, thread_id, std::chrono::steady_clock::now()});
    desk->mutex.unlock();
    desk->perform(request);
    desk->mutex.lock();
    std::erase_if(desk->calls, [&](const Call& call) { return call.thread_id == thread_id; });
    if (desk->is_round_complete()) desk->progress.notify_one();
    if (desk->serving == 0) desk->serving = thread_id;  // nobody else was left: go on
  }
  --desk->threads;
  desk->ended.notify_all();
  desk->mutex.unlock();
}

void SupervisedReader::request(int gpu, ReadDetail detail) {
  const MutexLock lock(desk_->mutex);
  if (desk_->is_busy_with(gpu)) return;
  desk_->requests.push_back({gpu, detail});
  desk_->work.notify_all();
}

void SupervisedReader::request_devices() { request(kAllDevices, ReadDetail::Memory); }

std::optional<std::vector<Device>> SupervisedReader::collect_devices() {
  const MutexLock lock(desk_->mutex);
  return std::exchange(desk_->devices, std::nullopt);
}

std::vector<Reading> SupervisedReader::collect() {
  const MutexLock lock(desk_->mutex);
  return std::exchange(desk_->readings, {});
}

std::vector<SupervisedReader::Quarantined> SupervisedReader::supervise(const ReadDeadlines& deadlines) {
  std::vector<Quarantined> quarantined;
  bool needs_thread = false;
  {
    const MutexLock lock(desk_->mutex);
    const auto now = std::chrono::steady_clock::now();
    for (auto& call : desk_->calls) {
      const Duration hanging = now - call.started;
      if (hanging >= deadlines.hand_over && !call.late) {
        call.late = true;
        if (call.thread_id == desk_->serving) desk_->serving = 0;
      }
      if (hanging >= deadlines.give_up && call.gpu != kAllDevices) quarantined.push_back({call.gpu, hanging});
    }
    needs_thread = desk_->serving == 0 && desk_->calls.size() < kMostThreads;
  }
  if (needs_thread) start_thread();
  return quarantined;
}

void SupervisedReader::wait_until(SteadyTime deadline) {
  const MutexLock lock(desk_->mutex);
  while (!desk_->poked && (desk_->readings.empty() || !desk_->is_round_complete())) {
    if (!desk_->progress.wait_until(desk_->mutex, deadline)) break;
  }
  desk_->poked = false;
}

void SupervisedReader::poke() {
  const MutexLock lock(desk_->mutex);
  desk_->poked = true;
  desk_->progress.notify_one();
}

}  // namespace dualgpuopt::memory
