#include "fakes/nvml/story/live.h"

#include <cstdio>

#include "fakes/nvml/story/fault_reader.h"
#include "sources/text_file.h"

namespace nvml_fake {
namespace {

using dualgpuopt::memory::Error;

constexpr std::size_t kLargestFile = 1U << 20U;

void read_set(const StoryTable& table, PartOverride& part) {
  const auto pid = table.number("pid");
  const auto used = table.bytes("used");
  const auto gone = table.truth("gone").value_or(false);
  if (pid && used.has_value() == gone) table.refuse("pid", "expected either used or gone = true with it");
  if (!pid && gone) table.refuse("gone", "expected the pid of a process with it");
  if (!pid) {
    table.require("used", "the memory that is used, as in \"2GiB\"");
    part.used = used;
  } else {
    Process newcomer;
    newcomer.pid = *pid;
    part.processes[*pid] = {used, gone, std::move(newcomer)};
  }
}

}  // namespace

LiveControl::Signature LiveControl::signature() const {
  struct stat status {};
  if (::stat(file_.c_str(), &status) != 0) return {};
  return {status.st_ino, status.st_size, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

void LiveControl::look(const Scenario& scenario, Duration now) {
  const auto current = signature();
  if (current == seen_) return;
  seen_ = current;
  if (const auto error = read(scenario, now)) {
    std::fprintf(stderr, "nvml stand-in: live control %s: %s\n", file_.c_str(), error->describe().c_str());
  }
}

std::optional<Error> LiveControl::read(const Scenario& scenario, Duration now) {
  std::map<Key, PartOverride> overrides;
  std::vector<Fault> faults;
  if (seen_ != Signature{}) {
    const auto text = dualgpuopt::memory::read_text_file(file_, kLargestFile);
    if (!text) return text.error();
    const auto document = dualgpuopt::memory::parse_toml(*text);
    if (!document) return document.error();
    StoryTable::FirstError error;
    const StoryTable table(*document, "the live control", error);
    table.allow_only({"set", "fault"});
    for (const auto& set : table.list("set", "[[set]]")) {
      set.allow_only({"gpu", "instance", "pid", "used", "gone"});
      set.require("gpu", "the number of a GPU");
      const auto gpu = read_gpu_index(set, scenario.gpus);
      read_set(set, overrides[{gpu.value_or(0), read_instance_slot(set, scenario.gpus, gpu)}]);
    }
    faults = read_faults(table, scenario.gpus);
    if (error) return error;
  }
  overrides_ = std::move(overrides);
  faults_ = Faults(std::move(faults), now, scenario.seed);
  ++version_;
  return std::nullopt;
}

const PartOverride& LiveControl::overrides_of(const Target& part) const {
  const auto found = overrides_.find({part.gpu.value_or(0), part.slot});
  return found == overrides_.end() ? untouched_ : found->second;
}

}  // namespace nvml_fake
