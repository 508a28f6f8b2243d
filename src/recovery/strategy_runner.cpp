#include "recovery/strategy_runner.h"

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace dualgpuopt::memory {

/// What the caller and the callback's thread share.
class StrategyCall {
 public:
  void finish(StrategyOutcome outcome) {
    const MutexLock lock(mutex_);
    outcome_ = std::move(outcome);
    changed_.notify_all();
  }

  /// Returns once the call is finished, the time is up or a stop is requested.
  StrategyOutcome wait(std::chrono::steady_clock::time_point deadline, const std::stop_token& stop) {
    const std::stop_callback wake(stop, [this] {
      const MutexLock lock(mutex_);
      changed_.notify_all();
    });
    const MutexLock lock(mutex_);
    bool in_time = true;
    while (!outcome_ && in_time && !stop.stop_requested()) in_time = changed_.wait_until(mutex_, deadline);
    if (outcome_) return *outcome_;
    return {in_time ? AnswerStatus::Stopped : AnswerStatus::TimedOut, {}};
  }

  [[nodiscard]] bool finished() const {
    const MutexLock lock(mutex_);
    return outcome_.has_value();
  }

  [[nodiscard]] std::stop_token stop_token() const { return give_up_.get_token(); }
  void request_stop() { give_up_.request_stop(); }

 private:
  std::stop_source give_up_;
  mutable Mutex mutex_;
  Condition changed_;
  std::optional<StrategyOutcome> outcome_ DUALGPUOPT_GUARDED_BY(mutex_);
};

namespace {

StrategyOutcome failed(std::string text) { return {AnswerStatus::Threw, {false, std::move(text)}}; }

/// Calls it, and makes an outcome of whatever it throws.
StrategyOutcome call_guarded(const RecoveryCallback& callback, const RecoveryRequest& request) {
  try {
    return {AnswerStatus::Answered, callback(request)};
  } catch (const std::exception& error) {
    return failed(error.what());
  } catch (...) {
    // pthread_exit(), as Python ends threads that outlive it, is no exception but unwinds like one: to swallow it
    // would abort the process.
    if (!std::current_exception()) throw;
    return failed("it threw something that is no std::exception");
  }
}

/// Finishes the call when the work of its thread ends, be it by pthread_exit(). The callback is let go first: once the
/// call counts as finished, nothing of the application is touched any more.
struct Finisher {
  std::shared_ptr<StrategyCall> call;
  std::shared_ptr<const RecoveryCallback> callback;
  StrategyOutcome outcome = failed("it ended its thread");

  ~Finisher() {
    callback.reset();
    call->finish(std::move(outcome));
  }
};

/// No thread, and the call finished as failed, where the system gives none.
std::thread start(const std::shared_ptr<StrategyCall>& call, std::shared_ptr<const RecoveryCallback> callback,
                  RecoveryRequest request) {
  try {
    return std::thread([call, callback = std::move(callback), request = std::move(request)]() mutable {
      Finisher finisher{call, std::move(callback)};
      finisher.outcome = call_guarded(*finisher.callback, request);
    });
  } catch (const std::system_error& error) {
    call->finish(failed(std::string("no thread could be started for it: ") + error.what()));
    return {};
  }
}

}  // namespace

StrategyOutcome StrategyRunner::run(std::shared_ptr<const RecoveryCallback> callback, RecoveryRequest request,
                                    Duration time_limit, const std::stop_token& stop) {
  const auto deadline = std::chrono::steady_clock::now() + time_limit;
  const auto call = std::make_shared<StrategyCall>();
  if (!begin(request.strategy, call)) return {AnswerStatus::Busy, {}};
  request.stop = call->stop_token();
  auto thread = start(call, std::move(callback), std::move(request));
  auto outcome = call->wait(deadline, stop);
  const bool returned = outcome.status == AnswerStatus::Answered || outcome.status == AnswerStatus::Threw;
  if (!returned) {
    thread.detach();
    call->request_stop();
  } else if (thread.joinable()) {
    thread.join();
  }
  return outcome;
}

bool StrategyRunner::is_busy(RecoveryStrategy strategy) const {
  const MutexLock lock(mutex_);
  const auto last = last_calls_.find(strategy);
  return last != last_calls_.end() && !last->second->finished();
}

bool StrategyRunner::begin(RecoveryStrategy strategy, const std::shared_ptr<StrategyCall>& call) {
  const MutexLock lock(mutex_);
  auto& last = last_calls_[strategy];
  if (last && !last->finished()) return false;
  last = call;
  return true;
}

}  // namespace dualgpuopt::memory
