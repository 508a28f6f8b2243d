#include "dualgpuopt/memory/oom/oom_scanner.h"

#include <algorithm>
#include <utility>

#include "oom/oom_wordings.h"

namespace dualgpuopt::memory {
namespace {

constexpr std::uint64_t kLinesTogether = 8;  ///< What follows an error so closely may add to it.
constexpr std::size_t kLongestText = 300;

/// Whether two lines tell of one kind of error, for counting.
bool is_alike(const OomError& a, const OomError& b) {
  return a.source == b.source && a.phase == b.phase && a.fatal == b.fatal && a.gpu == b.gpu &&
         a.requested == b.requested && a.allocated == b.allocated && a.cache_left == b.cache_left &&
         a.context == b.context;
}

}  // namespace

void OomScanner::feed(std::string_view line) {
  ++line_;
  line = line.substr(0, kLongestLine);
  const bool is_close = !found_.empty() && line_ - last_line_ <= kLinesTogether;
  // What an allocator says after its error is no error of its own.
  if (is_close && found_[last_].source == OomSource::LlamaCpp && add_oom_details(found_[last_], line)) {
    last_line_ = line_;
    return;
  }
  if (auto error = parse_oom_line(line)) {
    error->line = line_;
    error->text = line.substr(0, kLongestText);
    return add(*std::move(error));
  }
  if (is_close && add_oom_details(found_[last_], line)) last_line_ = line_;
}

void OomScanner::add(OomError error) {
  last_line_ = line_;
  const auto alike =
      std::find_if(found_.begin(), found_.end(), [&](const OomError& known) { return is_alike(known, error); });
  if (alike != found_.end()) {
    ++alike->times;
    last_ = static_cast<std::size_t>(alike - found_.begin());
  } else if (found_.size() < kMostErrors) {
    found_.push_back(std::move(error));
    last_ = found_.size() - 1;
  }
}

std::vector<OomError> OomScanner::errors() const {
  auto errors = found_;
  std::stable_partition(errors.begin(), errors.end(), [](const OomError& error) { return error.fatal; });
  return errors;
}

}  // namespace dualgpuopt::memory
