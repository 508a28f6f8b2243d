// What is kept of processes, also after their end.
#include "fakes/nvml/abi.h"
#include "fakes/nvml/driver.h"

using namespace nvml_fake;

namespace {

constexpr unsigned kBufferSize = 4000;

Code stats_of(const NvmlFakeDevice& device, unsigned pid, AccountingStats* stats) {
  // The last of its name: a PID may have been used before.
  for (unsigned i = device.account_count; i-- > 0;) {
    const auto& account = device.accounts[i % kNvmlFakeAccounts];
    if (account.pid != pid) continue;
    return put(stats, {account.gpu_percent,
                       account.memory_percent,
                       account.most_memory,
                       account.time_ms,
                       account.start_us,
                       static_cast<unsigned>(account.running),
                       {}});
  }
  return kNotFound;
}

Code pids_of(const NvmlFakeDevice& device, unsigned* count, unsigned* pids) {
  if (count == nullptr) return kInvalidArgument;
  const auto room = *count;
  *count = device.account_count;
  if (room < device.account_count) return kInsufficientSize;
  if (device.account_count > 0 && pids == nullptr) return kInvalidArgument;
  for (unsigned i = 0; i < device.account_count; ++i) pids[i] = device.accounts[i % kNvmlFakeAccounts].pid;
  return kSuccess;
}

}  // namespace

extern "C" {

int nvmlDeviceGetAccountingMode(NvmlFakeDevice* device, unsigned* mode) {
  return answer({__func__, kNvmlFakeAccountingMode}, device,
                [&](const NvmlFakeDevice& found) { return put(mode, static_cast<unsigned>(found.accounting)); });
}

int nvmlDeviceGetAccountingStats(NvmlFakeDevice* device, unsigned pid, AccountingStats* stats) {
  return answer({__func__, kNvmlFakeAccountingStats}, device, [&](const NvmlFakeDevice& found) {
    return found.accounting == 0 ? kNotSupported : stats_of(found, pid, stats);
  });
}

int nvmlDeviceGetAccountingPids(NvmlFakeDevice* device, unsigned* count, unsigned* pids) {
  return answer({__func__, kNvmlFakeAccountingPids}, device, [&](const NvmlFakeDevice& found) {
    return found.accounting == 0 ? kNotSupported : pids_of(found, count, pids);
  });
}

int nvmlDeviceGetAccountingBufferSize(NvmlFakeDevice* device, unsigned* size) {
  return answer({__func__, kNvmlFakeAccountingPids}, device,
                [&](const NvmlFakeDevice&) { return put(size, kBufferSize); });
}

}  // extern "C"
