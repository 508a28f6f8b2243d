#include "monitor/guarded_read.h"

#include <exception>
#include <string>

namespace dualgpuopt::memory {

Reading guarded_read(MemorySource& source, int gpu, ReadDetail detail, const Clock& clock) {
  const auto failed = [&](const std::string& why) {
    return Reading::unavailable(gpu, clock.stamp(), source.provenance(), "the source failed: " + why);
  };
  try {
    return source.read(gpu, detail);
  } catch (const std::exception& error) {
    return failed(error.what());
  } catch (...) {
    return failed("an exception that says nothing");
  }
}

}  // namespace dualgpuopt::memory
