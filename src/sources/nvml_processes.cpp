#include "sources/nvml_processes.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "core/format.h"

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
    return unavailable(format_text("the driver's process list is garbled (PID {})", wrong->pid));
  }
  if (listing.count > capacity) {
    return unavailable(
        format_text("the driver's process list is garbled ({} entries in room for {})", listing.count, capacity));
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

ProcessPresence presence_of(const DriverProcess& process) {
  if (!process.state) return ProcessPresence::Unseen;
  switch (*process.state) {
    case ProcessState::Alive: return ProcessPresence::Alive;
    case ProcessState::Zombie: return ProcessPresence::Zombie;
    case ProcessState::Dead: return ProcessPresence::Gone;
  }
  return ProcessPresence::Unseen;
}

void identify(ProcessMemory& process, const DriverPids& pids) {
  auto found = pids.find(process.pid);
  if (found.pid != process.pid) process.driver_pid = std::exchange(process.pid, found.pid);
  process.presence = presence_of(found);
  process.start_ticks = found.start_ticks;
  process.name = std::move(found.name);
}

/// Forgets figures that cannot be true. Returns why some entries have no figure, or nothing.
std::string check_use(std::vector<ProcessMemory>& processes, std::optional<Bytes> total) {
  std::string reason;
  for (auto& process : processes) {
    if (process.used && total && *process.used > *total) {
      reason = format_text("the driver gives process {} more than the device has ({} B)", process.pid, *process.used);
      process.used.reset();
    } else if (!process.used && reason.empty()) {
      reason = "the driver does not count the memory of each process here, as under WSL and in some virtual machines";
    }
  }
  return reason;
}

/// The kinds of a process that is in one more list.
ProcessKind joined(ProcessKind before, ProcessKind list) {
  if (before == list) return before;
  const bool draws =
      before == ProcessKind::ComputeAndGraphics || before == ProcessKind::Graphics || list == ProcessKind::Graphics;
  return draws ? ProcessKind::ComputeAndGraphics : ProcessKind::Mps;
}

void merge_list(std::map<pid_t, ProcessMemory>& merged, const std::vector<ProcessV2>& entries, ProcessKind kind) {
  for (const auto& [pid, used] : sum_by_pid(entries)) {
    const auto [place, is_new] = merged.try_emplace(pid);
    auto& process = place->second;
    process.pid = pid;
    process.used = combined(process.used, used, larger);
    process.kind = is_new ? kind : joined(process.kind, kind);
  }
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
      return unavailable(format_text("the driver claims {} processes on one device", listing.count));
    }
    capacity = std::max(with_room_to_grow(listing.count), capacity * 2);
  }
  return unavailable(format_text("the driver's process list grew faster than it could be read, beyond {}", capacity));
}

std::vector<ProcessMemory> merge(const ProcessLists& lists) {
  std::map<pid_t, ProcessMemory> merged;
  merge_list(merged, lists.compute, ProcessKind::Compute);
  merge_list(merged, lists.graphics, ProcessKind::Graphics);
  merge_list(merged, lists.mps, ProcessKind::Mps);
  std::vector<ProcessMemory> processes;
  processes.reserve(merged.size());
  for (auto& [pid, process] : merged) processes.push_back(std::move(process));
  return processes;
}

ProcessList read_processes(const Library& library, Handle device, const DriverPids& pids, TimeStamp time,
                           std::optional<Bytes> total) {
  ProcessLists lists;
  std::map<ProcessListKind, Error> refusals;  // of lists that the device does not support
  for (const auto& [kind, entries] :
       {std::pair(ProcessListKind::Compute, &lists.compute), std::pair(ProcessListKind::Graphics, &lists.graphics),
        std::pair(ProcessListKind::Mps, &lists.mps)}) {
    auto list = list_processes(library, kind, device);
    if (list) {
      *entries = std::move(*list);
    } else if (list.error().code() == ErrorCode::Unsupported) {
      refusals.emplace(kind, list.error());
    } else {
      return {time, {}, list.error().describe(), ""};
    }
  }
  // Whoever uses the Multi-Process Service is in the first list as well: the third alone proves nothing.
  if (refusals.contains(ProcessListKind::Compute) && refusals.contains(ProcessListKind::Graphics)) {
    return {time, {}, refusals.at(ProcessListKind::Compute).describe(), ""};
  }
  ProcessList list{time, merge(lists), "", ""};
  list.used_reason = check_use(list.entries, total);
  for (auto& process : list.entries) identify(process, pids);
  return list;
}

}  // namespace dualgpuopt::memory::nvml
