// Any text as a log: errors or none, and whatever is found can be described.
#include <string_view>

#include "dualgpuopt/memory/oom/oom_advice.h"
#include "dualgpuopt/memory/oom/oom_scanner.h"

using namespace dualgpuopt::memory;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view log(reinterpret_cast<const char*>(data), size);
  OomScanner scanner;
  while (!log.empty()) {
    const auto end = std::min(log.find('\n'), log.size());
    scanner.feed(log.substr(0, end));
    log.remove_prefix(std::min(end + 1, log.size()));
  }
  for (const auto& error : scanner.errors()) (void)to_json(error);
  return 0;
}
