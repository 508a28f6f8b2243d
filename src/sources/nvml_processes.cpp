#include "sources/nvml_processes.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

namespace dualgpuopt::memory::nvml {
namespace {

constexpr unsigned kFirstCapacity = 64;
constexpr unsigned kMostEntries = 65536;
constexpr int kMostAttempts = 3;

/// Room for `count` entries and for some that come until the next call.
unsigned with_room_to_grow(unsigned count) { return count + count / 2 + 16; }

tl::unexpected<Error> unavailable(std::string reason) { return fail(ErrorCode::Unavailable, std::move(reason)); }

bool is_possible(const ProcessV2& entry) {
  return entry.pid != 0 && entry.pid <= static_cast<std::uint32_t>(std::numeric_limits<pid_t>::max());
}

Result<std::vector<ProcessV2>> checked(Library::ProcessListing listing, unsigned capacity) {
  const auto wrong = std::find_if_not(listing.entries.begin(), listing.entries.end(), is_possible);
  if (wrong != listing.entries.end()) {
    return unavailable(fmt::format("the driver's process list is garbled (PID {})", wrong->pid));
  }
  if (listing.count > capacity) {
    return unavailable(
        fmt::format("the driver's process list is garbled ({} entries in room for {})", listing.count, capacity));
  }
  return std::move(listing.entries);
}

bool is_unsupported(Code code) { return code == Code::NotSupported || code == Code::FunctionNotFound; }

/// `left` and `right` by `combine`; where one is not known, the other.
template <typename Combine>
std::optional<Bytes> combined(std::optional<Bytes> left, std::optional<Bytes> right, Combine combine) {
  if (left && right) return combine(*left, *right);
  return left ? left : right;
}

/// The sum; not known unless both are.
std::optional<Bytes> added(std::optional<Bytes> left, std::optional<Bytes> right) {
  if (!left || !right) return std::nullopt;
  return *left + *right;
}

Bytes larger(Bytes left, Bytes right) { return std::max(left, right); }

using UseByPid = std::map<pid_t, std::optional<Bytes>>;

/// What one list says of each process.
UseByPid sum_by_pid(const std::vector<ProcessV2>& entries) {
  // The same entry can come twice; only entries of different instances add up.
  std::map<std::tuple<pid_t, std::uint32_t, std::uint32_t>, std::optional<Bytes>> distinct;
  for (const auto& entry : entries) {
    const auto used = entry.used == kNotAvailable ? std::nullopt : std::optional<Bytes>(entry.used);
    auto& known = distinct[{static_cast<pid_t>(entry.pid), entry.gpu_instance, entry.compute_instance}];
    known = combined(known, used, larger);
  }
  UseByPid sums;
  for (const auto& [key, used] : distinct) {
    const auto [sum, is_first] = sums.emplace(std::get<0>(key), used);
    if (!is_first) sum->second = added(sum->second, used);
  }
  return sums;
}

void name_process(ProcessMemory& process, const ProcessTable& table) {
  auto seen = table.read_brief(process.pid);
  if (!seen) return;
  process.start_ticks = seen->identity.start_ticks;
  process.name = std::move(seen->name);
}

}  // namespace

Result<std::vector<ProcessV2>> list_processes(const Library& library, ProcessListKind kind, Handle device) {
  // The usual way is to ask for the count first; a call can take milliseconds, so we come with room at once.
  auto capacity = kFirstCapacity;
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    auto listing = library.processes(kind, device, capacity);
    if (listing.code == Code::Success) return checked(std::move(listing), capacity);
    if (is_unsupported(listing.code)) return fail(ErrorCode::Unsupported, library.describe(listing.code));
    if (listing.code != Code::InsufficientSize) return unavailable(library.describe(listing.code));
    if (listing.count > kMostEntries) {
      return unavailable(fmt::format("the driver claims {} processes on one device", listing.count));
    }
    capacity = std::max(with_room_to_grow(listing.count), capacity * 2);
  }
  return unavailable(fmt::format("the driver's process list grew faster than it could be read, beyond {}", capacity));
}

std::vector<ProcessMemory> merge(const std::vector<ProcessV2>& compute, const std::vector<ProcessV2>& graphics) {
  std::map<pid_t, ProcessMemory> merged;
  for (const auto& [pid, used] : sum_by_pid(compute)) {
    merged[pid] = {pid, std::nullopt, used, ProcessKind::Compute, ""};
  }
  for (const auto& [pid, used] : sum_by_pid(graphics)) {
    const auto [place, is_new] = merged.try_emplace(pid);
    auto& process = place->second;
    process = {pid, std::nullopt, combined(process.used, used, larger),
               is_new ? ProcessKind::Graphics : ProcessKind::ComputeAndGraphics, ""};
  }
  std::vector<ProcessMemory> processes;
  processes.reserve(merged.size());
  for (auto& [pid, process] : merged) processes.push_back(std::move(process));
  return processes;
}

ProcessList read_processes(const Library& library, Handle device, const ProcessTable& table, TimeStamp time) {
  const auto is_failure = [](const auto& list) { return !list && list.error().code() != ErrorCode::Unsupported; };
  auto compute = list_processes(library, ProcessListKind::Compute, device);
  if (is_failure(compute)) return {time, {}, compute.error().describe()};
  auto graphics = list_processes(library, ProcessListKind::Graphics, device);
  if (is_failure(graphics)) return {time, {}, graphics.error().describe()};
  if (!compute && !graphics) return {time, {}, compute.error().describe()};
  ProcessList list{time, merge(compute.value_or(std::vector<ProcessV2>()), graphics.value_or(std::vector<ProcessV2>())),
                   ""};
  for (auto& process : list.entries) name_process(process, table);
  return list;
}

}  // namespace dualgpuopt::memory::nvml
