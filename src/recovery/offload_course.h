// One call of the rung: what it has got so far, and what it will say.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dualgpuopt/memory/recovery/offload_choice.h"
#include "dualgpuopt/memory/recovery/strategy.h"

namespace dualgpuopt::memory {

/// Pure. Not thread-safe.
class OffloadCourse {
 public:
  explicit OffloadCourse(Bytes bytes_to_free) : bytes_to_free_(bytes_to_free) {}

  /// The newest choice: what becomes of its objects will be in the answer.
  void on_choice(const OffloadChoice& choice);
  void on_offloaded(OffloadId id, const std::string& name, Bytes bytes);
  void on_failed(OffloadId id, const std::string& name, const std::string& why);
  /// It cannot go on.
  void on_obstacle(std::string why) { obstacle_ = std::move(why); }

  /// Bytes still wanted.
  [[nodiscard]] Bytes left() const { return bytes_to_free_ - std::min(freed_, bytes_to_free_); }
  [[nodiscard]] const std::map<OffloadId, std::string>& failed() const { return failed_; }
  [[nodiscard]] StrategyAnswer answer() const;

 private:
  [[nodiscard]] std::string detail() const;

  Bytes bytes_to_free_;
  Bytes freed_ = 0;
  std::vector<OffloadId> ranked_;
  std::vector<Candidate> candidates_;
  std::map<OffloadId, std::string> failed_;
  std::map<OffloadId, Bytes> moved_;
  std::vector<std::string> sentences_;
  std::string obstacle_;
};

}  // namespace dualgpuopt::memory
