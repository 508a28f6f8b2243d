// Where the sampler puts its newest snapshot and any number of threads look at it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "dualgpuopt/memory/monitor/snapshot.h"

namespace dualgpuopt::memory {

/// One writer, many readers, no lock. publish() never waits: a reader that is preempted in the middle of taking a
/// snapshot keeps one slot from being used again, nothing else. With every slot kept that way (more than kSlots - 2
/// threads preempted at once) the snapshot is skipped and the next one tries again.
class SnapshotBoard {
 public:
  SnapshotBoard();

  /// For the one writer. Returns false if the snapshot was skipped.
  bool publish(std::shared_ptr<const Snapshot> snapshot);
  /// The newest snapshot; never null. Thread-safe.
  [[nodiscard]] std::shared_ptr<const Snapshot> latest() const;
  /// Changes with every publication: a cheap way to see that there is nothing new.
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

  static constexpr std::size_t kSlots = 64;

 private:
  struct alignas(64) Slot {
    mutable std::atomic<std::uint32_t> visitors{0};
    std::shared_ptr<const Snapshot> snapshot;
  };

  std::array<Slot, kSlots> slots_;
  alignas(64) std::atomic<std::uint32_t> current_{0};
  alignas(64) std::atomic<std::uint64_t> version_{0};
};

/// Reads a board from one thread: a look at an unchanged board costs a few nanoseconds and writes nothing that other
/// threads share. Make one for each thread; it may outlive the monitor.
class SnapshotReader {
 public:
  explicit SnapshotReader(std::shared_ptr<const SnapshotBoard> board)
      : board_(std::move(board)), version_(board_->version()), snapshot_(board_->latest()) {}

  /// The newest snapshot. The reference is good until the next call; snapshot() keeps one for longer.
  const Snapshot& read() {
    refresh();
    return *snapshot_;
  }
  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() {
    refresh();
    return snapshot_;
  }

 private:
  void refresh() {
    const auto version = board_->version();
    if (version == version_) return;
    snapshot_ = board_->latest();
    version_ = version;
  }

  std::shared_ptr<const SnapshotBoard> board_;
  std::uint64_t version_;
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace dualgpuopt::memory
