// A server that registers what it can do when memory runs out, and sees what a climb of the ladder did.
//
// The "GPU" here is a number in this program, so that the example runs anywhere: a MemorySource of your own is all that
// it takes to watch something else.
#include <dualgpuopt/memory.h>

#include <cstdio>

using namespace dualgpuopt::memory;

namespace {

struct Server {
  Bytes weights = 14_GiB;
  Bytes cache = 2_GiB;
  Bytes batch = 7_GiB;
  [[nodiscard]] Bytes used() const { return weights + cache + batch; }
};

/// One device of 24 GiB that the server's own accounts stand for.
class ServerSource final : public MemorySource {
 public:
  ServerSource(const Server& server, const Clock& clock) : server_(server), clock_(clock) {}
  std::string_view name() const override { return "server"; }
  Provenance provenance() const override { return Provenance::Driver; }
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

  (*monitor)->register_strategy(RecoveryStrategy::ClearCache, [&](const RecoveryRequest& request) {
    std::printf("asked to free %s\n", format_bytes(request.bytes_to_free).c_str());
    server.cache = 0;
    return StrategyAnswer{true, "dropped the cache"};
  });
  (*monitor)->register_strategy(RecoveryStrategy::ReduceBatch, [&](const RecoveryRequest&) {
    server.batch /= 2;
    return StrategyAnswer{true, "halved the batch"};
  });

  const auto& report = (*monitor)->step();  // a real program calls start() instead
  for (const auto& decision : report.decisions) {
    std::printf("%s\n", decision.reason.c_str());
    for (const auto& rung : decision.rungs) {
      std::printf("  %s: %s\n", std::string(to_string(rung.strategy)).c_str(), rung.detail.c_str());
    }
  }
  const bool reached = report.decisions.size() == 1 && report.decisions[0].end == DecisionEnd::TargetReached;
  return reached ? 0 : 1;
}
