// Any bytes as a log: errors whose records are valid JSON on one line, however the log is cut into pieces.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "dualgpuopt/memory/oom/oom_advice.h"
#include "dualgpuopt/memory/oom/oom_report.h"
#include "dualgpuopt/memory/oom/oom_scanner.h"

namespace {

using namespace dualgpuopt::memory;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

std::vector<OomError> scan(std::string_view log, std::size_t piece) {
  OomScanner scanner;
  for (; !log.empty(); log.remove_prefix(std::min(piece, log.size()))) scanner.feed(log.substr(0, piece));
  return scanner.finish();
}

void check_sizes(const OomError& error) {
  for (const auto& size : oom_sizes()) {
    const auto& value = error.*size.member;
    const bool is_noted = is_implausible(error, size.name);
    require(!value || *value <= 16_TiB || is_noted, "what is too large is noted");
    require(!value || *value < Bytes{1} << 63, "a size is below 2^63");
  }
}

std::string check_error(const OomError& error) {
  check_sizes(error);
  require(error.line > 0 && error.times > 0, "it was somewhere");
  require(measures_against(error).size() <= 3, "there are few measures");
  require(!describe(error).empty(), "it can be described");
  auto record = to_json(error);
  require(record.find('\n') == std::string::npos, "a record is one line");
  return record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view log(reinterpret_cast<const char*>(data), size);
  const auto whole = scan(log, log.size());
  const auto pieces = scan(log, 7);
  require(whole.size() <= OomScanner::kMostErrors, "few errors are kept");
  require(whole.size() == pieces.size(), "the pieces do not matter");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    require(check_error(whole[i]) == check_error(pieces[i]), "the pieces do not matter");
  }
  return 0;
}
