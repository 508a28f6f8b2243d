#include "dualgpuopt/memory/monitor/snapshot_board.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace dualgpuopt::memory {
namespace {

std::shared_ptr<const Snapshot> snapshot_number(std::uint64_t number) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->sequence = number;
  snapshot->devices.resize(number % 3);
  return snapshot;
}

TEST(SnapshotBoard, BeginsWithASnapshotOfNothing) {
  const SnapshotBoard board;
  EXPECT_EQ(board.latest()->sequence, 0U);
  EXPECT_TRUE(board.latest()->devices.empty());
}

TEST(SnapshotBoard, GivesTheNewest) {
  SnapshotBoard board;
  for (std::uint64_t number = 1; number <= 200; ++number) {
    EXPECT_TRUE(board.publish(snapshot_number(number)));
    EXPECT_EQ(board.latest()->sequence, number);
  }
}

TEST(SnapshotBoard, KeepsNoMoreThanTwoSnapshotsAliveWhenNobodyReads) {
  SnapshotBoard board;
  std::vector<std::weak_ptr<const Snapshot>> published;
  for (std::uint64_t number = 1; number <= 100; ++number) {
    auto snapshot = snapshot_number(number);
    published.push_back(snapshot);
    board.publish(std::move(snapshot));
  }
  const auto alive =
      std::count_if(published.begin(), published.end(), [](const auto& weak) { return !weak.expired(); });
  EXPECT_LE(alive, 2);
}

TEST(SnapshotReader, SeesWhatWasPublishedSinceAndOutlivesTheWriter) {
  auto board = std::make_shared<SnapshotBoard>();
  SnapshotReader reader(board);
  EXPECT_EQ(reader.read().sequence, 0U);
  board->publish(snapshot_number(1));
  const auto kept = reader.snapshot();
  board->publish(snapshot_number(2));
  EXPECT_EQ(reader.read().sequence, 2U);
  board.reset();
  EXPECT_EQ(reader.read().sequence, 2U);
  EXPECT_EQ(kept->sequence, 1U);
}

TEST(SnapshotBoard, IsReadWholeAndForwardByManyThreadsWhileItIsWritten) {
  constexpr std::uint64_t kLast = 20'000;
  const auto board = std::make_shared<SnapshotBoard>();
  std::vector<std::jthread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&board] {
      SnapshotReader reader(board);
      for (std::uint64_t last = 0; last < kLast;) {
        const auto& snapshot = reader.read();
        ASSERT_GE(snapshot.sequence, last);
        ASSERT_EQ(snapshot.devices.size(), snapshot.sequence % 3);
        last = snapshot.sequence;
      }
    });
  }
  for (std::uint64_t number = 1; number <= kLast; ++number) {
    while (!board->publish(snapshot_number(number))) {
    }
  }
}

}  // namespace
}  // namespace dualgpuopt::memory
