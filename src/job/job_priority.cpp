#include "job/job_priority.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/format.h"

namespace dualgpuopt::memory::job {
namespace {

constexpr int kFirstToGo = 500;
constexpr int kLastToGo = -500;

constexpr std::array kNames{std::pair{JobPriority::Low, "low"}, std::pair{JobPriority::Normal, "normal"},
                            std::pair{JobPriority::High, "high"}};

tl::unexpected<Error> refusal(JobPriority priority, const std::string& file, int problem) {
  const bool is_denied = problem == EACCES || problem == EPERM;
  return fail(is_denied ? ErrorCode::PermissionDenied : ErrorCode::Io,
              format_text("--priority {}: {} cannot be written: {}{}", to_string(priority), file,
                          std::strerror(problem), is_denied ? "; it needs root, or CAP_SYS_RESOURCE" : ""));
}

}  // namespace

Result<JobPriority> parse_priority(const std::string& text) {
  const auto* const found =
      std::find_if(kNames.begin(), kNames.end(), [&](const auto& known) { return text == known.second; });
  if (found != kNames.end()) return found->first;
  return fail(ErrorCode::InvalidArgument,
              format_text("--priority: {} is not known; expected low, normal or high", in_quotes(text)));
}

const char* to_string(JobPriority priority) {
  return std::find_if(kNames.begin(), kNames.end(), [&](const auto& known) { return priority == known.first; })->second;
}

Result<void> set_priority(pid_t pid, JobPriority priority) {
  if (priority == JobPriority::Normal) return {};
  const auto file = format_text("/proc/{}/oom_score_adj", pid);
  int adjustment = 0;
  std::ifstream(file) >> adjustment;
  const int wanted = priority == JobPriority::Low ? std::max(adjustment, kFirstToGo) : std::min(adjustment, kLastToGo);
  errno = 0;
  std::ofstream stream(file);
  stream << wanted << std::flush;
  return stream ? Result<void>{} : refusal(priority, file, errno);
}

}  // namespace dualgpuopt::memory::job
