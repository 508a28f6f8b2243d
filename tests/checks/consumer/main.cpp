#include <dualgpuopt/memory.h>

#include <iostream>

using namespace dualgpuopt::memory;

int main() {
  const auto clock = std::make_shared<VirtualClock>();
  auto source = make_source("sim:demo", *clock);
  if (!source) return 1;
  const auto monitor = MemoryMonitor::create(std::move(*source), clock);
  if (!monitor) return 1;
  const auto& report = (*monitor)->step();
  std::cout << report.snapshot->devices.size() << " devices from " << (*monitor)->source_name() << "\n";
  return report.fresh.size() == 2 ? 0 : 1;
}
