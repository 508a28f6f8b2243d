#include "dualgpuopt/memory/monitor/snapshot_board.h"

namespace dualgpuopt::memory {

// A reader announces itself in a slot and then checks that the slot is still the current one; the writer makes another
// slot current before it looks whether the old one is free of visitors. With both in one total order (seq_cst) at least
// one of the two sees the other, so a slot is never written while it is read.

SnapshotBoard::SnapshotBoard() { slots_[0].snapshot = std::make_shared<const Snapshot>(); }

bool SnapshotBoard::publish(std::shared_ptr<const Snapshot> snapshot) {
  const auto current = current_.load(std::memory_order_relaxed);
  for (std::uint32_t candidate = 0; candidate < kSlots; ++candidate) {
    if (candidate == current || slots_[candidate].visitors.load(std::memory_order_seq_cst) != 0) continue;
    slots_[candidate].snapshot = std::move(snapshot);
    current_.store(candidate, std::memory_order_seq_cst);
    version_.fetch_add(1, std::memory_order_release);
    return true;
  }
  return false;
}

std::shared_ptr<const Snapshot> SnapshotBoard::latest() const {
  while (true) {
    const auto current = current_.load(std::memory_order_seq_cst);
    const Slot& slot = slots_[current];
    slot.visitors.fetch_add(1, std::memory_order_seq_cst);
    if (current_.load(std::memory_order_seq_cst) == current) {
      auto snapshot = slot.snapshot;
      slot.visitors.fetch_sub(1, std::memory_order_release);
      return snapshot;
    }
    slot.visitors.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace dualgpuopt::memory
