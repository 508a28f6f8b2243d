// A climb that a test leads by hand.
#pragma once

#include <gtest/gtest.h>

#include "recovery/readings.h"

namespace dualgpuopt::memory::testing {

/// A climb that the test answers by hand; every event is one second after the one before it.
class Hand {
 public:
  explicit Hand(ClimbEvidence evidence, const LadderConfig& config = {},
                const std::set<RecoveryStrategy>& registered = all_strategies())
      : climb_(config, registered, std::move(evidence), {now_, std::nullopt}, 7) {}

  template <typename Action>
  [[nodiscard]] bool wants() const {
    return std::holds_alternative<Action>(climb_.next());
  }
  [[nodiscard]] RecoveryRequest request() const { return std::get<RunStrategy>(climb_.next()).request; }
  [[nodiscard]] Decision decision() const { return std::get<ClimbFinished>(climb_.next()).decision; }
  [[nodiscard]] MonoTime settle_end() const { return std::get<SettleUntil>(climb_.next()).time; }
  [[nodiscard]] MonoTime now() const { return now_; }

  Hand& measure(Bytes used) { return measure(reading_of(used)); }
  Hand& measure(const Reading& reading) {
    EXPECT_TRUE(wants<MeasureDevice>());
    climb_.on_measured(reading, tick());
    return *this;
  }
  Hand& answer(RecoveryStrategy expected, StrategyOutcome outcome = {}) {
    EXPECT_TRUE(wants<RunStrategy>());
    EXPECT_EQ(request().strategy, expected);
    climb_.on_answered(outcome, tick());
    return *this;
  }
  Hand& settle() {
    EXPECT_TRUE(wants<SettleUntil>());
    climb_.on_settled(tick());
    return *this;
  }
  /// One rung of the ordinary kind: answered, settled, measured.
  Hand& rung(RecoveryStrategy expected, Bytes used_after, StrategyOutcome outcome = {}) {
    return answer(expected, std::move(outcome)).settle().measure(used_after);
  }
  Hand& stop() {
    climb_.on_stopped(tick());
    return *this;
  }

 private:
  MonoTime tick() { return now_ += std::chrono::seconds(1); }

  MonoTime now_{std::chrono::seconds(100)};
  Climb climb_;
};

inline StrategyOutcome said(bool succeeded, std::string detail = {}) {
  return {AnswerStatus::Answered, {succeeded, std::move(detail)}};
}
inline StrategyOutcome threw(std::string text) { return {AnswerStatus::Threw, {false, std::move(text)}}; }
inline StrategyOutcome ended(AnswerStatus status) { return {status, {}}; }

}  // namespace dualgpuopt::memory::testing
