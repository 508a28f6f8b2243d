#include "monitor/guarded_read.h"

#include <exception>
#include <string>

namespace dualgpuopt::memory {
namespace {

/// What `call` gives, or what `failed` makes of the words of its exception.
template <typename Call, typename Failed>
auto guarded(Call call, Failed failed) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& error) {
    return failed(std::string("the source failed: ") + error.what());
  } catch (...) {
    return failed("the source failed: an exception that says nothing");
  }
}

}  // namespace

Reading guarded_read(MemorySource& source, int gpu, ReadDetail detail, const Clock& clock) {
  return guarded(
      [&] { return source.read(gpu, detail); },
      [&](std::string why) { return Reading::unavailable(gpu, clock.stamp(), source.provenance(), std::move(why)); });
}

Result<std::vector<Device>> guarded_enumerate(MemorySource& source) {
  return guarded(
      [&] { return source.enumerate(); },
      [](std::string why) -> Result<std::vector<Device>> { return fail(ErrorCode::Unavailable, std::move(why)); });
}

}  // namespace dualgpuopt::memory
