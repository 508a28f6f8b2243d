#include "dualgpuopt/memory/recovery/shared_batch_size.h"

#include <algorithm>
#include <stop_token>

#include "core/format.h"

namespace dualgpuopt::memory {

std::uint64_t SharedBatchSize::size() const {
  const MutexLock lock(mutex_);
  return controller_.size();
}

std::optional<BatchSizeChange> SharedBatchSize::last_change() const {
  const MutexLock lock(mutex_);
  return controller_.last_change();
}

bool SharedBatchSize::on_out_of_memory(std::uint64_t chunk) {
  const MutexLock lock(mutex_);
  return controller_.on_out_of_memory(chunk, clock_->now());
}

void SharedBatchSize::on_level(int gpu, Level level) {
  const MutexLock lock(mutex_);
  controller_.on_level(gpu, level, clock_->now());
}

void SharedBatchSize::on_forecast(int gpu, const std::optional<Forecast>& forecast) {
  const MutexLock lock(mutex_);
  controller_.on_forecast(gpu, forecast, clock_->now());
}

void SharedBatchSize::on_done(std::uint64_t chunk) {
  const MutexLock lock(mutex_);
  controller_.on_done(chunk, clock_->now());
}

std::uint64_t SharedBatchSize::at_safe_point(const std::function<void()>& give_back) {
  std::uint64_t asked = 0;
  {
    const MutexLock lock(mutex_);
    if (asked_ == answered_) return controller_.size();
    asked = asked_;
  }
  if (give_back) give_back();
  const MutexLock lock(mutex_);
  answered_ = std::max(answered_, asked);  // who asked in the meantime waits for the next safe point
  passed_.notify_all();
  return controller_.size();
}

StrategyAnswer SharedBatchSize::reduce(const RecoveryRequest& request) {
  const std::stop_callback wake(request.stop, [this] {
    const MutexLock lock(mutex_);
    passed_.notify_all();
  });
  const MutexLock lock(mutex_);
  if (!controller_.on_request(clock_->now())) {
    return {false, format_text("{} at a time are the fewest already", controller_.size())};
  }
  const auto size = controller_.size();
  const auto mine = ++asked_;
  while (answered_ < mine && request.stop.stop_possible() && !request.stop.stop_requested()) passed_.wait(mutex_);
  if (answered_ >= mine) return {true, format_text("{} at a time from now on", size)};
  return {false, format_text("{} at a time from the next safe point on, which did not come in time", size)};
}

}  // namespace dualgpuopt::memory
