// The rung that makes batches smaller: a batch size that several threads use, and a strategy that waits until the
// application has taken the new one over.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/mutex.h"
#include "dualgpuopt/memory/recovery/batch_size_controller.h"
#include "dualgpuopt/memory/recovery/strategy.h"

namespace dualgpuopt::memory {

/// A BatchSizeController for all threads. The application asks for the size at each of its safe points, which are the
/// moments when it holds nothing of the last chunk; whoever signals never waits for it, except reduce().
///
///     const auto batch = std::make_shared<SharedBatchSize>(BatchSizeConfig{.ceiling = 64}, clock);
///     monitor->register_strategy(RecoveryStrategy::ReduceBatch,
///                                [batch](const RecoveryRequest& request) { return batch->reduce(request); });
///     while (work.left()) batch->on_done(work.do_some(batch->at_safe_point(empty_the_pools)));
class SharedBatchSize {
 public:
  /// `config` must be valid.
  SharedBatchSize(const BatchSizeConfig& config, std::shared_ptr<const Clock> clock)
      : clock_(std::move(clock)), controller_(config) {}

  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] std::optional<BatchSizeChange> last_change() const;

  /// As BatchSizeController has them.
  bool on_out_of_memory(std::uint64_t chunk);
  void on_level(int gpu, Level level);
  void on_forecast(int gpu, const std::optional<Forecast>& forecast);
  void on_done(std::uint64_t chunk);

  /// Here the application holds nothing of its last chunk: from now on it takes so many elements at a time. If a
  /// reduce() waits for that, `give_back` runs first, on this thread and without a lock held: allocators that keep what
  /// they are given back should give it to the driver there, so that the ladder can measure it. What it throws comes
  /// out here, and reduce() goes on waiting.
  std::uint64_t at_safe_point(const std::function<void()>& give_back = {});

  /// The strategy: asks for less, and returns once a thread has come by at_safe_point(), or with a failure when
  /// `request.stop` is requested, which the ladder does when the rung's time is up. The size stays reduced then, too. A
  /// request without a stop state is not waited for.
  [[nodiscard]] StrategyAnswer reduce(const RecoveryRequest& request);

 private:
  const std::shared_ptr<const Clock> clock_;
  mutable Mutex mutex_;
  Condition passed_;
  BatchSizeController controller_ DUALGPUOPT_GUARDED_BY(mutex_);
  std::uint64_t asked_ DUALGPUOPT_GUARDED_BY(mutex_) = 0;     // reduce() calls so far that wait for a safe point
  std::uint64_t answered_ DUALGPUOPT_GUARDED_BY(mutex_) = 0;  // up to which one a safe point has come by
};

}  // namespace dualgpuopt::memory
