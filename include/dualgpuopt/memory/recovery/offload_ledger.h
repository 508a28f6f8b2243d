// What is on a device, what was offloaded from it, and what moves next: a state machine without the objects themselves.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dualgpuopt/memory/recovery/offload_choice.h"
#include "dualgpuopt/memory/recovery/restore_policy.h"

namespace dualgpuopt::memory {

/// Where an object is.
enum class Residence { OnDevice, Leaving, Offloaded, Returning };
[[nodiscard]] std::string_view to_string(Residence residence);

/// When an object may be moved: by the rung's own thread whenever it is asked, or only where the application says that
/// nothing uses it.
enum class OffloadTiming { AtOnce, AtSafePoint };

/// What an object says of itself.
struct OffloadTraits {
  std::string name;
  int gpu = 0;
  Bytes bytes = 0;                        ///< On the device now.
  double priority = 0;                    ///< The higher, the longer it stays; finite.
  std::optional<MonoTime> last_use = {};  ///< Empty: not known; it counts as used when it was registered or restored.
};

/// An object as the ledger knows it.
struct OffloadEntry {
  OffloadTraits traits;  ///< As it said last, while it was on the device: `bytes` are what it holds there when at home.
  OffloadTiming timing = OffloadTiming::AtOnce;
  Residence residence = Residence::OnDevice;
  unsigned users = 0;  ///< While there are any it stays.
  MonoTime came{};     ///< When it was registered, restored, or last released by a user.
  RestoreWait wait{};
  std::string
      problem{};  ///< Of the last move that failed; empty once one succeeded. While set by refuse(), it is kept.
  bool is_silent = false;  ///< It could not be asked.
};

/// What comes back next, or why nothing does.
struct RestoreChoice {
  std::optional<OffloadId> id;
  std::string reason;
};

/// Decides for every object at once, and calls none. Pure: no threads, no clock reads; times of one clock. Not
/// thread-safe. Time and space: linear in the objects. Whoever moves objects tells what became of them: begin_…, then
/// end_… or fail_…. A call that does not fit an object's residence, or an unknown id, changes nothing.
class OffloadLedger {
 public:
  /// `config` must be valid.
  explicit OffloadLedger(const OffloadConfig& config) : config_(config) {}

  OffloadId add(OffloadTraits traits, OffloadTiming timing, MonoTime now);
  void remove(OffloadId id);
  [[nodiscard]] const OffloadEntry* find(OffloadId id) const;
  [[nodiscard]] std::vector<OffloadId> on_gpu(int gpu) const;  ///< By age.
  [[nodiscard]] std::vector<OffloadId> all() const;
  [[nodiscard]] const OffloadConfig& config() const { return config_; }

  /// What it says now; heard only while it is on the device.
  void describe(OffloadId id, OffloadTraits traits);
  /// It could not be asked: it is no candidate until it is described again.
  void refuse(OffloadId id, std::string why);
  /// Somebody works with it: it stays where it is, or where it is being moved to.
  void begin_use(OffloadId id);
  void end_use(OffloadId id, MonoTime now);

  /// What is to leave `gpu`, besides what is leaving: see choose_to_offload(). `host_room` is what the host has above
  /// the reserve. `passed_over` are those that failed, with the reason.
  [[nodiscard]] OffloadChoice choose(int gpu, Bytes bytes_to_free, Bytes host_room,
                                     const std::map<OffloadId, std::string>& passed_over, MonoTime now) const;
  /// What is on its way from `gpu`.
  [[nodiscard]] Bytes leaving(int gpu) const;
  /// False: it may not leave any more.
  bool begin_offload(OffloadId id);
  void end_offload(OffloadId id, MonoTime now);
  void fail_offload(OffloadId id, std::string why);

  /// The most valuable object that fits and whose wait is over; one at a time on a device, and the next only by a
  /// reading that shows the one before.
  [[nodiscard]] RestoreChoice next_restore(const DeviceState& state, MonoTime now) const;
  /// False: it is not there to be restored.
  bool begin_restore(OffloadId id);
  void end_restore(OffloadId id, MonoTime now);
  void fail_restore(OffloadId id, std::string why, MonoTime now);

 private:
  [[nodiscard]] OffloadEntry* in(OffloadId id, Residence residence);
  [[nodiscard]] OffloadItem item_of(OffloadId id, const OffloadEntry& entry) const;
  [[nodiscard]] std::string obstacle_of_moves(const DeviceState& state, MonoTime now) const;
  [[nodiscard]] RestoreChoice choose_restore(const DeviceState& state, MonoTime now) const;

  struct Moves {
    std::optional<MonoTime> last_offload;
    std::optional<MonoTime> last_restore;
  };

  OffloadConfig config_;
  OffloadId last_id_ = 0;
  std::map<OffloadId, OffloadEntry> entries_;
  std::map<int, Moves> moves_;
};

}  // namespace dualgpuopt::memory
