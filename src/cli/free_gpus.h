// What is free on this machine's GPUs, as `estimate --free` takes it.
#pragma once

#include <string>
#include <vector>

#include "dualgpuopt/memory/monitor/snapshot.h"

namespace dualgpuopt::memory::cli {

struct FreeGpu {
  int gpu = 0;
  std::string name;
  Bytes free = 0;
};

struct FreeGpus {
  Provenance provenance = Provenance::Driver;
  std::vector<FreeGpu> gpus;

  /// As --gpus takes them: "24696061952B,16106127360B".
  [[nodiscard]] std::string sizes() const;
  /// A line with what was read, labelled where no driver said it.
  [[nodiscard]] std::string text() const;
  /// The answer with "free": whose numbers these are, and what is free on each GPU.
  [[nodiscard]] std::string added_to(const std::string& json) const;
};

/// Of every GPU but partitioned ones, whose memory is their instances'. Errors (Unavailable): a GPU that cannot be read
/// now, with the reason; one of which it is not known what is free; no GPU at all.
[[nodiscard]] Result<FreeGpus> free_gpus(const Snapshot& snapshot);

}  // namespace dualgpuopt::memory::cli
