// How many elements of a batch an application takes at a time, so that they fit: fewer at once when memory runs short,
// one step more when it has been calm for long enough.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/metrics/forecast.h"
#include "dualgpuopt/memory/metrics/level.h"

namespace dualgpuopt::memory {

/// The longest that a size which ran out of memory is left alone: a day.
inline constexpr Duration kLongestRetry = std::chrono::hours(24);

struct BatchSizeConfig {
  std::uint64_t ceiling = 1;  ///< Never more elements at a time; it begins with so many.
  std::uint64_t floor = 1;    ///< Never fewer.
  std::uint64_t step = 0;     ///< It grows by so many; 0: by a sixteenth of the ceiling, at least by 1.
  double decrease = 0.5;      ///< It shrinks to this part of what it was, rounded down, between 0 and 1.

  unsigned patience = 8;                      ///< It grows after so many full chunks in a row,
  Duration hold = std::chrono::seconds(30);   ///< and not before this time after it shrank.
  Duration settle = std::chrono::seconds(5);  ///< Signals so soon after it shrank are of the same trouble; and
                                              ///< so long it waits from one growth to the next.
  Duration retry = std::chrono::minutes(10);  ///< A size that ran out of memory is not tried again before; twice
                                              ///< as long each time it fails again, up to kLongestRetry.
  Level shrink_from = Level::Critical;        ///< It shrinks when a device gets to this level or above.
  Duration shrink_within = std::chrono::seconds(30);  ///< It shrinks when exhaustion is foreseen within this time.
  double calm_risk = 0.1;                             ///< It does not grow while the risk of a forecast is above.

  /// InvalidArgument, naming the field, unless 1 <= floor <= ceiling, 0 < decrease < 1, 0 <= calm_risk <= 1, and no
  /// duration is negative or longer than kLongestRetry.
  [[nodiscard]] Result<void> validate() const;
};

/// Why a size changed.
enum class BatchSizeCause { OutOfMemory, Level, Forecast, Request, Calm };
[[nodiscard]] std::string_view to_string(BatchSizeCause cause);

struct BatchSizeChange {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  BatchSizeCause cause = BatchSizeCause::OutOfMemory;
  MonoTime time{};

  friend bool operator==(const BatchSizeChange&, const BatchSizeChange&) = default;
};

/// Additive increase, multiplicative decrease. floor <= size() <= ceiling always holds; a size changes only within the
/// call that is its cause, so nothing happens to a chunk that is being worked on.
///
/// It grows only while every device that it heard of is at Level::Normal and none is forecast to run out, and stays
/// under a size that ran out of memory until that is due to be tried again. Pure: no clock reads; `now` never goes
/// backwards. Not thread-safe: SharedBatchSize is. Space: one entry a device.
class BatchSizeController {
 public:
  /// `config` must be valid.
  explicit BatchSizeController(const BatchSizeConfig& config);

  /// Elements to take at a time.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const BatchSizeConfig& config() const { return config_; }
  /// The newest change; empty while there was none.
  [[nodiscard]] const std::optional<BatchSizeChange>& last_change() const { return last_change_; }
  /// Under this many elements it stays for now: what ran out of memory; empty if nothing did of late.
  [[nodiscard]] std::optional<std::uint64_t> known_not_to_fit(MonoTime now) const;

  /// A chunk of so many elements ran out of memory: from now on fewer, however lately it shrank. False: fewer than the
  /// floor are not to be had, so that there is no use in trying again.
  bool on_out_of_memory(std::uint64_t chunk, MonoTime now);
  /// Somebody asks for less, such as a rung of the ladder. False: it is at the floor already.
  bool on_request(MonoTime now);
  /// It shrinks when the level rises to one that it shrinks from; a level that only lasts is no cause.
  void on_level(int gpu, Level level, MonoTime now);
  /// Empty: nothing is known of the future. While exhaustion is near it shrinks again after each `hold`.
  void on_forecast(int gpu, const std::optional<Forecast>& forecast, MonoTime now);
  /// A chunk of so many elements is done. Fewer than size() say nothing of whether that fits.
  void on_done(std::uint64_t chunk, MonoTime now);

 private:
  struct Outlook {
    Level level = Level::Normal;
    bool calm = true;
  };
  struct Failure {
    std::uint64_t size = 0;
    MonoTime retry_at{};
    Duration retry{};
  };

  void shrink_to(std::uint64_t size, BatchSizeCause cause, MonoTime now);
  void shrink_at_signal(BatchSizeCause cause, MonoTime now);
  void change_to(std::uint64_t size, BatchSizeCause cause, MonoTime now);
  void note_failure(std::uint64_t chunk, MonoTime now);
  [[nodiscard]] bool shrank_within(Duration time, MonoTime now) const;
  [[nodiscard]] bool all_is_calm() const;
  [[nodiscard]] std::uint64_t decreased(std::uint64_t size) const;
  [[nodiscard]] std::uint64_t growth(MonoTime now) const;

  BatchSizeConfig config_;
  std::uint64_t size_;
  std::map<int, Outlook> outlooks_;
  std::optional<Failure> failure_;
  std::optional<BatchSizeChange> last_change_;
  std::optional<MonoTime> shrank_at_;
  MonoTime may_grow_at_ = MonoTime::min();
  unsigned done_ = 0;  // full chunks since the last change
};

}  // namespace dualgpuopt::memory
