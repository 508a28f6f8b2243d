#include "dualgpuopt/memory/recovery/batch_size_controller.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/format.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::uint64_t kStepsToTheCeiling = 16;

Result<void> invalid(std::string what) { return fail(ErrorCode::InvalidArgument, std::move(what)); }

bool is_near(const Forecast& forecast, Duration within) {
  return forecast.time_to_oom && *forecast.time_to_oom <= Seconds(within);
}

BatchSizeConfig with_step(BatchSizeConfig config) {
  if (config.step == 0) config.step = std::max<std::uint64_t>(1, config.ceiling / kStepsToTheCeiling);
  return config;
}

}  // namespace

std::string_view to_string(BatchSizeCause cause) {
  switch (cause) {
    case BatchSizeCause::OutOfMemory: return "out_of_memory";
    case BatchSizeCause::Level: return "level";
    case BatchSizeCause::Forecast: return "forecast";
    case BatchSizeCause::Request: return "request";
    case BatchSizeCause::Calm: return "calm";
  }
  return "";
}

Result<void> BatchSizeConfig::validate() const {
  if (floor < 1) return invalid("floor is 0: expected at least 1");
  if (floor > ceiling) return invalid(format_text("floor is {}, above the ceiling of {}", floor, ceiling));
  if (!(decrease > 0 && decrease < 1)) {
    return invalid(format_text("decrease is {}: expected more than 0 and less than 1", decrease));
  }
  if (!(calm_risk >= 0 && calm_risk <= 1)) return invalid(format_text("calm_risk is {}: expected 0 to 1", calm_risk));
  const std::map<std::string_view, Duration> durations{
      {"hold", hold}, {"settle", settle}, {"retry", retry}, {"shrink_within", shrink_within}};
  for (const auto& [field, duration] : durations) {
    if (duration < Duration::zero()) return invalid(format_text("{} is negative", field));
    if (duration > kLongestRetry) return invalid(format_text("{} is longer than a day", field));
  }
  return {};
}

BatchSizeController::BatchSizeController(const BatchSizeConfig& config)
    : config_(with_step(config)), size_(config.ceiling) {}

std::optional<std::uint64_t> BatchSizeController::known_not_to_fit(MonoTime now) const {
  return failure_ && now < failure_->retry_at ? std::optional(failure_->size) : std::nullopt;
}

bool BatchSizeController::on_out_of_memory(std::uint64_t chunk, MonoTime now) {
  note_failure(std::max<std::uint64_t>(chunk, 1), now);
  const bool can_be_less = chunk > config_.floor;
  // A chunk of before the last change says nothing new when the size is under it by enough already.
  shrink_to(std::min(size_, decreased(chunk)), BatchSizeCause::OutOfMemory, now);
  return can_be_less;
}

bool BatchSizeController::on_request(MonoTime now) {
  const bool is_carried_out = shrank_within(config_.settle, now);
  const bool can_be_less = size_ > config_.floor;
  shrink_at_signal(BatchSizeCause::Request, now);
  return is_carried_out || can_be_less;
}

void BatchSizeController::on_level(int gpu, Level level, MonoTime now) {
  const auto before = std::exchange(outlooks_[gpu].level, level);
  if (level > before && level >= config_.shrink_from) shrink_at_signal(BatchSizeCause::Level, now);
}

void BatchSizeController::on_forecast(int gpu, const std::optional<Forecast>& forecast, MonoTime now) {
  const bool near = forecast && is_near(*forecast, config_.shrink_within);
  outlooks_[gpu].calm = !near && (!forecast || forecast->risk.value_or(0) <= config_.calm_risk);
  if (near && !shrank_within(config_.hold, now)) shrink_at_signal(BatchSizeCause::Forecast, now);
}

void BatchSizeController::on_done(std::uint64_t chunk, MonoTime now) {
  if (chunk < size_) return;
  if (failure_ && chunk >= failure_->size) failure_.reset();
  ++done_;
  if (done_ < config_.patience || now < may_grow_at_ || !all_is_calm()) return;
  const auto more = growth(now);
  if (more == 0) return;
  change_to(size_ + more, BatchSizeCause::Calm, now);
  may_grow_at_ = now + config_.settle;
}

void BatchSizeController::shrink_to(std::uint64_t size, BatchSizeCause cause, MonoTime now) {
  shrank_at_ = now;
  may_grow_at_ = now + config_.hold;
  done_ = 0;
  const auto wanted = std::max(config_.floor, size);
  if (wanted < size_) change_to(wanted, cause, now);
}

void BatchSizeController::shrink_at_signal(BatchSizeCause cause, MonoTime now) {
  if (!shrank_within(config_.settle, now)) shrink_to(decreased(size_), cause, now);
}

void BatchSizeController::change_to(std::uint64_t size, BatchSizeCause cause, MonoTime now) {
  last_change_ = BatchSizeChange{size_, size, cause, now};
  size_ = size;
  done_ = 0;
}

/// What fails while an earlier failure is still left alone belongs to the same search for a size that fits; what fails
/// when it was tried again is left alone for longer.
void BatchSizeController::note_failure(std::uint64_t chunk, MonoTime now) {
  const bool is_first = !failure_;
  const bool was_tried_again = !is_first && now >= failure_->retry_at;
  const auto before = is_first ? config_.retry : failure_->retry;
  const auto retry = was_tried_again && before <= kLongestRetry / 2 ? before * 2 : before;
  const auto size = is_first ? chunk : std::min(chunk, failure_->size);  // the smaller one was not seen to fit
  const auto wait = std::min<Duration>(retry, kLongestRetry);
  failure_ = Failure{size, now + wait, wait};
}

bool BatchSizeController::shrank_within(Duration time, MonoTime now) const {
  return shrank_at_ && now - *shrank_at_ < time;
}

bool BatchSizeController::all_is_calm() const {
  return std::all_of(outlooks_.begin(), outlooks_.end(),
                     [](const auto& entry) { return entry.second.level == Level::Normal && entry.second.calm; });
}

/// Less by at least one, and never less than the floor.
std::uint64_t BatchSizeController::decreased(std::uint64_t size) const {
  if (size <= config_.floor) return config_.floor;
  const auto part = static_cast<std::uint64_t>(std::floor(static_cast<double>(size) * config_.decrease));
  return std::max(config_.floor, std::min(part, size - 1));
}

/// A step, but under a size that ran out of memory no further than halfway: so it is found what fits just yet.
std::uint64_t BatchSizeController::growth(MonoTime now) const {
  const auto to_the_ceiling = config_.ceiling - size_;
  const auto failed = known_not_to_fit(now);
  if (!failed) return std::min(config_.step, to_the_ceiling);
  const auto halfway = *failed > size_ ? (*failed - size_) / 2 : 0;
  return std::min({config_.step, to_the_ceiling, halfway});
}

}  // namespace dualgpuopt::memory
