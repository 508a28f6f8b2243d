#include "recovery/offload_course.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/format.h"

namespace dualgpuopt::memory {

void OffloadCourse::on_choice(const OffloadChoice& choice) {
  for (std::size_t i = 0; i < choice.ranked.size(); ++i) {
    const auto known = std::ranges::find(ranked_, choice.ranked[i]);
    if (known == ranked_.end()) {
      ranked_.push_back(choice.ranked[i]);
      candidates_.push_back(choice.candidates[i]);
    } else if (choice.candidates[i].chosen) {
      candidates_[static_cast<std::size_t>(known - ranked_.begin())] = choice.candidates[i];
    }
  }
}

void OffloadCourse::on_offloaded(OffloadId id, const std::string& name, Bytes bytes) {
  freed_ += bytes;
  moved_[id] = bytes;
  sentences_.push_back(format_text("offloaded {} ({})", name, format_bytes(bytes)));
}

void OffloadCourse::on_failed(OffloadId id, const std::string& name, const std::string& why) {
  failed_[id] = why;
  sentences_.push_back(format_text("{} could not be offloaded: {}", name, why));
}

std::string OffloadCourse::detail() const {
  auto sentences = sentences_;
  if (!obstacle_.empty()) sentences.push_back(obstacle_);
  if (sentences.empty()) return left() == 0 ? "nothing to free" : "there is nothing to offload";
  return format_text("{}", fmt::join(sentences, "; "));
}

StrategyAnswer OffloadCourse::answer() const {
  StrategyAnswer answer{left() == 0, detail(), candidates_};
  for (std::size_t i = 0; i < ranked_.size(); ++i) {
    auto& candidate = answer.candidates[i];
    candidate.chosen = moved_.contains(ranked_[i]) || failed_.contains(ranked_[i]);
    if (const auto failed = failed_.find(ranked_[i]); failed != failed_.end()) {
      candidate.reason += format_text("; it failed: {}", failed->second);
    }
  }
  return answer;
}

}  // namespace dualgpuopt::memory
