// What reading a snapshot costs while the sampler publishes.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "dualgpuopt/memory/monitor/snapshot_board.h"

namespace dualgpuopt::memory {
namespace {

/// Publishes a snapshot of eight devices every `interval` until destroyed.
class Publisher {
 public:
  Publisher(const std::shared_ptr<SnapshotBoard>& board, std::chrono::microseconds interval)
      : thread_([board, interval](const std::stop_token& stop) {
          for (std::uint64_t sequence = 1; !stop.stop_requested(); ++sequence) {
            auto snapshot = std::make_shared<Snapshot>();
            snapshot->sequence = sequence;
            snapshot->devices.resize(8);
            board->publish(std::move(snapshot));
            std::this_thread::sleep_for(interval);
          }
        }) {}

 private:
  std::jthread thread_;
};

const std::shared_ptr<SnapshotBoard>& board() {
  static const auto shared = std::make_shared<SnapshotBoard>();
  return shared;
}

/// Ten thousand times faster than the monitor's usual pace: new snapshots are frequent, not the rule.
constexpr std::chrono::microseconds kPace(100);

void read_while_published(benchmark::State& state) {
  static std::unique_ptr<Publisher> publisher;
  if (state.thread_index() == 0) publisher = std::make_unique<Publisher>(board(), kPace);
  SnapshotReader reader(board());
  for (auto _ : state) benchmark::DoNotOptimize(reader.read().sequence);
  if (state.thread_index() == 0) publisher.reset();
}
BENCHMARK(read_while_published)->Threads(1)->Threads(2)->Threads(8);

/// Every read finds a new snapshot: the dear case.
void read_after_each_publication(benchmark::State& state) {
  SnapshotReader reader(board());
  auto snapshot = std::make_shared<const Snapshot>();
  for (auto _ : state) {
    state.PauseTiming();
    board()->publish(snapshot);
    state.ResumeTiming();
    benchmark::DoNotOptimize(reader.read().sequence);
  }
}
BENCHMARK(read_after_each_publication)->Iterations(100'000);

/// The 99th percentile of single reads with eight threads; includes two looks at the clock, given as clock_ns_p99.
void percentile_of_single_reads(benchmark::State& state) {
  using Clock = std::chrono::steady_clock;
  constexpr int kThreads = 8;
  constexpr std::size_t kReads = 200'000;
  const auto percentile_99 = [](std::vector<double>& costs) {
    const auto rank = costs.begin() + static_cast<std::ptrdiff_t>(costs.size() * 99 / 100);
    std::nth_element(costs.begin(), rank, costs.end());
    return *rank;
  };
  const auto measure = [&](auto read) {
    std::vector<std::vector<double>> costs(kThreads);
    {
      std::vector<std::jthread> threads;
      for (auto& mine : costs) {
        threads.emplace_back([&mine, read] {
          SnapshotReader reader(board());
          mine.reserve(kReads);
          for (std::size_t i = 0; i < kReads; ++i) {
            const auto start = Clock::now();
            read(reader);
            mine.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count());
          }
        });
      }
    }
    std::vector<double> all;
    for (const auto& mine : costs) all.insert(all.end(), mine.begin(), mine.end());
    return percentile_99(all);
  };
  for (auto _ : state) {
    const Publisher publisher(board(), kPace);
    state.counters["read_ns_p99"] =
        measure([](SnapshotReader& reader) { benchmark::DoNotOptimize(reader.read().sequence); });
    state.counters["clock_ns_p99"] = measure([](SnapshotReader&) {});
  }
}
BENCHMARK(percentile_of_single_reads)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace dualgpuopt::memory
