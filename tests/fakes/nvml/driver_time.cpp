#include "fakes/nvml/driver_time.h"

namespace nvml_fake {

void DriverTime::begin() {
  using namespace std::chrono;
  origin_ = steady_clock::now();
  const auto wall = system_clock::now().time_since_epoch();
  wall_origin_us_ = static_cast<unsigned long long>(duration_cast<microseconds>(wall).count());
}

void DriverTime::use(Read now_ns, void* context) {
  read_ = now_ns;
  context_ = context;
}

std::chrono::nanoseconds DriverTime::now() const {
  return is_real() ? std::chrono::steady_clock::now() - origin_ : std::chrono::nanoseconds(read_(context_));
}

}  // namespace nvml_fake
