#include "fakes/nvml/client.h"

namespace nvml_fake {
namespace {

using namespace std::chrono_literals;
using namespace dualgpuopt::memory::literals;

constexpr auto kAccounted = R"(
[[gpu]]
accounting = true
[[gpu.process]]
pid = 71
start = "2s"
stop = "12s"
motion = [
  {kind = "ramp", at = "1s", lasting = "4s", amount = "3GiB"},
  {kind = "step", at = "6s", amount = "-1GiB"},
]
[[gpu]]
)";

AccountingStats stats(const Client& client, unsigned pid) {
  AccountingStats stats{};
  EXPECT_EQ(client.call("nvmlDeviceGetAccountingStats", client.gpu(0), pid, &stats), kSuccess);
  return stats;
}

TEST(Accounting, OutlivesTheProcess) {
  const Client client(kAccounted);
  client.clock.advance(4s);
  EXPECT_EQ(stats(client, 71).running, 1U);
  EXPECT_EQ(stats(client, 71).most_memory, 768_MiB);
  EXPECT_EQ(stats(client, 71).time_ms, 0U) << "while it runs";
  client.clock.advance(60s);
  EXPECT_EQ(client.compute(client.gpu(0)).size(), 0U);
  EXPECT_EQ(stats(client, 71).running, 0U);
  EXPECT_EQ(stats(client, 71).most_memory, 3_GiB) << "though nobody looked when it was most";
  EXPECT_EQ(stats(client, 71).time_ms, 10'000U);
}

TEST(Accounting, KnowsOnlyWhoHasBeenThere) {
  const Client client(kAccounted);
  AccountingStats stats{};
  EXPECT_EQ(client.call("nvmlDeviceGetAccountingStats", client.gpu(0), 71U, &stats), kNotFound) << "not yet";
  unsigned count = 0;
  EXPECT_EQ(client.call("nvmlDeviceGetAccountingPids", client.gpu(0), &count, static_cast<unsigned*>(nullptr)),
            kSuccess);
  client.clock.advance(2s);
  EXPECT_EQ(client.call("nvmlDeviceGetAccountingPids", client.gpu(0), &count, static_cast<unsigned*>(nullptr)),
            kInsufficientSize);
  unsigned pid = 0;
  EXPECT_EQ(client.call("nvmlDeviceGetAccountingPids", client.gpu(0), &count, &pid), kSuccess);
  EXPECT_EQ(pid, 71U);
}

TEST(Accounting, IsNotSupportedWhereItIsOff) {
  const Client client(kAccounted);
  unsigned mode = 9;
  EXPECT_EQ(client.call("nvmlDeviceGetAccountingMode", client.gpu(1), &mode), kSuccess);
  EXPECT_EQ(mode, 0U);
  EXPECT_EQ(client.call("nvmlDeviceGetAccountingMode", client.gpu(0), &mode), kSuccess);
  EXPECT_EQ(mode, 1U);
  AccountingStats stats{};
  unsigned count = 0;
  EXPECT_EQ(client.call("nvmlDeviceGetAccountingStats", client.gpu(1), 71U, &stats), kNotSupported);
  EXPECT_EQ(client.call("nvmlDeviceGetAccountingPids", client.gpu(1), &count, static_cast<unsigned*>(nullptr)),
            kNotSupported);
}

}  // namespace
}  // namespace nvml_fake
