// A server that works in batches of the size that memory allows, and gives its cache back when the ladder asks for it.
//
// The "GPU" here is a number in this program, so that the example runs anywhere. Both rungs are callbacks: ClearCache
// drops what can be had again; ReduceBatch waits until the server's loop has come to its next safe point, where the
// pool can be emptied, and the ladder measures after that.
#include <dualgpuopt/memory.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

using namespace dualgpuopt::memory;

namespace {

/// Weights, a cache of results, and a pool that grows to what a batch needs, half a GiB for each request, and keeps it.
class Server {
 public:
  [[nodiscard]] Bytes used() const { return 5_GiB + cache_ + pool_; }
  void work(std::uint64_t batch) { pool_ = std::max<Bytes>(pool_, batch * 512_MiB); }
  Bytes drop_the_cache() { return cache_.exchange(0); }
  /// Only while no batch is worked on.
  void empty_the_pool() { pool_ = 0; }

 private:
  std::atomic<Bytes> cache_ = 1_GiB;
  std::atomic<Bytes> pool_ = 0;
};

/// One device of 24 GiB that the server's own accounts stand for.
class ServerSource final : public MemorySource {
 public:
  ServerSource(const Server& server, const Clock& clock) : server_(server), clock_(clock) {}
  [[nodiscard]] std::string_view name() const override { return "server"; }
  [[nodiscard]] Provenance provenance() const override { return Provenance::Driver; }
  Result<std::vector<Device>> enumerate() override {
    Device device;
    device.key = "server-0";
    device.name = "accounts of the server";
    return std::vector{device};
  }
  Reading read(int gpu, ReadDetail /*detail*/) override {
    return {gpu, clock_.stamp(), provenance(), MemoryUse::from_used_and_total(server_.used(), 24_GiB), {}, nullptr};
  }

 private:
  const Server& server_;
  const Clock& clock_;
};

}  // namespace

int main() {
  Server server;
  const auto clock = std::make_shared<VirtualClock>();
  const auto monitor = MemoryMonitor::create(std::make_unique<ServerSource>(server, *clock), clock);
  if (!monitor) return 1;

  // Shared with the strategy, which may outlive a climb that has given it up.
  const auto batch = std::make_shared<SharedBatchSize>(BatchSizeConfig{.ceiling = 32}, clock);
  (*monitor)->register_strategy(RecoveryStrategy::ClearCache, [&](const RecoveryRequest&) {
    return StrategyAnswer{true, "dropped " + format_bytes(server.drop_the_cache()) + " of results"};
  });
  (*monitor)->register_strategy(RecoveryStrategy::ReduceBatch,
                                [batch](const RecoveryRequest& request) { return batch->reduce(request); });

  const std::jthread loop([&](const std::stop_token& ended) {
    while (!ended.stop_requested()) {
      const auto size = batch->at_safe_point([&] { server.empty_the_pool(); });  // here it holds nothing
      server.work(size);
      batch->on_done(size);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  while (server.used() < 22_GiB) std::this_thread::yield();

  const auto& report = (*monitor)->step();  // a real program calls start() instead
  for (const auto& decision : report.decisions) {
    std::printf("%s\n", decision.reason.c_str());
    for (const auto& rung : decision.rungs) {
      std::printf("  %s: %s\n", std::string(to_string(rung.strategy)).c_str(), rung.detail.c_str());
    }
  }
  std::printf("%llu at a time\n", static_cast<unsigned long long>(batch->size()));
  const bool reached = report.decisions.size() == 1 && report.decisions[0].end == DecisionEnd::TargetReached;
  return reached && batch->size() == 16 ? 0 : 1;
}
