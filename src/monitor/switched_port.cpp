#include "monitor/switched_port.h"

namespace dualgpuopt::memory {

Reading SwitchedPort::measure(int gpu, ReadDetail detail) {
  MemoryPort* port = nullptr;
  {
    const MutexLock lock(mutex_);
    port = port_;
    if (port != nullptr) ++inside_;
  }
  if (port == nullptr) return Reading::unavailable(gpu, clock_->stamp(), provenance_, "the monitor does not run");
  auto reading = port->measure(gpu, detail);
  leave();
  return reading;
}

void SwitchedPort::leave() {
  const MutexLock lock(mutex_);
  --inside_;
  left_.notify_all();
}

void SwitchedPort::connect(MemoryPort& port) {
  const MutexLock lock(mutex_);
  port_ = &port;
}

void SwitchedPort::disconnect() {
  const MutexLock lock(mutex_);
  port_ = nullptr;
  while (inside_ > 0) left_.wait(mutex_);
}

}  // namespace dualgpuopt::memory
