// The past of one device in fixed memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dualgpuopt/memory/core/clock.h"
#include "dualgpuopt/memory/core/units.h"

namespace dualgpuopt::memory {

/// The width of the buckets. Second: kept for one hour; Minute: for 24 hours; Hour: for 90 days.
enum class HistoryTier { Second, Minute, Hour };

/// Everything that was seen in one bucket of a tier.
struct HistoryPoint {
  MonoTime start;  ///< Of the bucket, a multiple of the tier's width.
  Bytes min = 0;
  Bytes max = 0;
  Bytes last = 0;
  double mean = 0;            ///< Of the samples, each with equal weight.
  std::uint32_t samples = 0;  ///< At least 1: a bucket in which nothing was seen does not exist.

  friend bool operator==(const HistoryPoint&, const HistoryPoint&) = default;
};

/// Keeps a series of used bytes in three tiers of buckets. add() is constant time and allocates nothing; the object
/// never grows and takes at most 512 KiB. Each tier keeps its newest buckets, however far apart: gaps in the series
/// take no room, and a series with gaps reaches back further. Not thread-safe: one owner.
class History {
 public:
  History();

  /// Records a sample. A time before the newest bucket counts into the newest bucket, so the order never breaks.
  void add(MonoTime time, Bytes used);

  /// The buckets of a tier that start at or after `since`, oldest first.
  [[nodiscard]] std::vector<HistoryPoint> points(HistoryTier tier, MonoTime since = MonoTime::min()) const;
  /// The bucket being filled; empty before the first sample.
  [[nodiscard]] std::optional<HistoryPoint> latest(HistoryTier tier) const;
  /// The most that was ever seen; empty before the first sample.
  [[nodiscard]] std::optional<Bytes> peak() const { return peak_; }

  /// Whether the tier still holds every bucket from `since` on: it has dropped none, or only older ones.
  [[nodiscard]] bool reaches_back_to(HistoryTier which, MonoTime since) const;

  [[nodiscard]] static Duration width(HistoryTier tier);
  [[nodiscard]] static std::size_t capacity(HistoryTier tier);
  /// Bytes this object holds, buffers included.
  [[nodiscard]] std::size_t memory_footprint() const;

 private:
  /// A ring of buckets of one width.
  class Tier {
   public:
    Tier(Duration width, std::size_t capacity);
    void add(MonoTime time, Bytes used);
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] const HistoryPoint& at(std::size_t age_rank) const;  // 0 is the oldest
    [[nodiscard]] std::size_t footprint() const { return ring_.capacity() * sizeof(HistoryPoint); }

   private:
    void open_bucket(MonoTime start, Bytes used);

    Duration width_;
    std::vector<HistoryPoint> ring_;
    std::size_t newest_ = 0;
    std::size_t size_ = 0;
  };

  [[nodiscard]] const Tier& tier(HistoryTier which) const { return tiers_[static_cast<std::size_t>(which)]; }

  std::array<Tier, 3> tiers_;
  std::optional<Bytes> peak_;
};

/// What a window of history says in a few numbers.
struct WindowSummary {
  Duration window{};
  std::size_t points = 0;  ///< Buckets the summary is made of.
  Bytes min = 0;
  Bytes max = 0;
  Bytes last = 0;
  double mean = 0;  ///< Of the buckets' means, each with equal weight.
  /// Least-squares slope of the buckets' means over time; 0 with fewer than two buckets.
  double rate_bytes_per_second = 0;
};

/// Summary of the last `window`: the buckets that start after `now - window` and not after `now`, from the finest tier
/// that reaches back that far (hours if none does). Empty when no bucket starts in the window.
[[nodiscard]] std::optional<WindowSummary> summarize(const History& history, Duration window, MonoTime now);

/// The nearest-rank percentile (0 < percent <= 100) of the buckets' means over the last `window`; window and tier as in
/// summarize. Empty when no bucket starts in the window, or the percent is out of range.
[[nodiscard]] std::optional<Bytes> percentile(const History& history, double percent, Duration window, MonoTime now);

}  // namespace dualgpuopt::memory
