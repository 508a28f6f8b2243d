// Watches this machine's GPUs, or a simulated pair where there are none, and prints what happens for a second.
#include <dualgpuopt/memory.h>

#include <cstdio>
#include <thread>

using namespace dualgpuopt::memory;

int main() {
  const auto clock = std::make_shared<SystemClock>();
  auto source = make_source("auto", *clock);
  if (!source) {
    std::printf("%s\nso this watches a simulated pair\n", source.error().describe().c_str());
    source = make_source("sim:demo", *clock);
  }

  MonitorConfig config;
  config.polling = PollingConfig::fixed(std::chrono::milliseconds(100));
  config.thresholds.warning.percent = 30;
  const auto monitor = MemoryMonitor::create(*std::move(source), clock, config);
  if (!monitor) {
    std::printf("%s\n", monitor.error().describe().c_str());
    return 1;
  }

  // The callback runs on the monitor's own thread for callbacks, never on the one that samples.
  const auto subscription = (*monitor)->subscribe(Level::Warning, LevelFilter::AtOrAbove, [](const MemoryAlert& alert) {
    std::printf("%s\n", alert.text().c_str());
  });
  (*monitor)->start();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  (*monitor)->stop();

  for (const auto& device : (*monitor)->snapshot()->devices) {
    const auto used = device.reading.ok() ? format_bytes(device.reading.memory->occupied()) : device.reason;
    std::printf("GPU %d: %s (%s)\n", device.device->gpu, used.c_str(), std::string(to_string(device.status)).c_str());
  }
}
