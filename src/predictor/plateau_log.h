// What this device did before: the last plateaus of its memory, and how soon it rose to a given amount from each.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "predictor/horizon_grid.h"
#include "predictor/waiting_times.h"

namespace dualgpuopt::memory {

/// Memory moves in steps: a series is kept as its last kPlateaus stretches of (nearly) one level, one entry a stretch
/// however long it was. Times are seconds on the caller's line, in order.
class PlateauLog {
 public:
  static constexpr std::size_t kPlateaus = 128;
  /// Samples that differ from a plateau's first by no more than this share belong to it.
  static constexpr double kSameLevel = 0.02;
  /// A plateau that is higher than the present use by no more than this share of the peak still counts as not higher.
  static constexpr double kNotHigher = 0.02;
  /// How near a plateau's level must be to the present use to tell much about it, as a share of the peak.
  static constexpr double kLevelScale = 0.05;

  void add(double time, double used);

  /// After how long the use reached `capacity` from past plateaus, weighted by how near their level is to the present
  /// one. Counted are plateaus that were not higher than the present one and lasted at least as long as it has by now,
  /// each from the moment when it was as old as the present one is (the empirical distribution of a semi-Markov
  /// process); the wait of those that have not is open. `capacity` is above the present use.
  [[nodiscard]] WaitingTimes waits_for(double capacity) const;

  /// The times that the use was at a capacity; it has left when it falls under kSameVisit of it.
  struct Visits {
    std::size_t count = 0;
    double since_left = 0;         ///< Seconds since the end of the last plateau that was there.
    double total = 0;              ///< Seconds of all visits together.
    std::optional<double> period;  ///< Mean seconds from one visit's beginning to the next; empty for a single one.
  };
  static constexpr double kSameVisit = 0.9;
  /// Those within the plateaus kept.
  [[nodiscard]] Visits visits_to(double capacity) const;

  /// Seconds that the present plateau has lasted; 0 before the first sample.
  [[nodiscard]] double age() const { return size_ == 0 ? 0 : now_ - start_[newest_]; }

  /// The highest use within the plateaus kept; 0 before the first sample.
  [[nodiscard]] double peak() const { return peak_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  using Column = std::array<float, kPlateaus>;

  void open(double time, double used);
  /// Fills `weights` by slot.
  void weigh(Column& weights) const;
  /// When the plateau in a slot reached the target first; infinite if it did not.
  [[nodiscard]] double reached_at(std::size_t slot, float target) const;
  [[nodiscard]] static std::size_t before(std::size_t slot) { return (slot + kPlateaus - 1) % kPlateaus; }

  // A table by column, so that weighing them runs on whole vectors; a slot is a plateau, `newest_` the present one.
  Column level_{};
  Column highest_{};
  Column length_{};  // seconds, until the next plateau began
  std::array<double, kPlateaus> start_{};
  std::array<double, kPlateaus> highest_at_{};
  std::size_t newest_ = 0;
  std::size_t size_ = 0;
  double now_ = 0;
  double used_ = 0;
  double peak_ = 0;
};

}  // namespace dualgpuopt::memory
