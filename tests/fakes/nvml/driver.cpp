#include "fakes/nvml/driver.h"

#include <cstring>
#include <ctime>
#include <thread>

namespace nvml_fake {
namespace {

constinit Driver g_driver;

Code as_code(int code) { return static_cast<Code>(code); }

bool is_device(const NvmlFakeState& state, const NvmlFakeDevice* device) {
  for (const auto& each : state.devices) {
    if (&each == device) return true;
  }
  return false;
}

}  // namespace

Driver& driver() { return g_driver; }

void Lock::wait_a_moment() {
  constexpr long kMillisecond = 1'000'000;
  constexpr long kSecond = 1'000'000'000;
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += kMillisecond;
  if (until.tv_nsec >= kSecond) {
    until.tv_nsec -= kSecond;
    ++until.tv_sec;
  }
  pthread_cond_timedwait(&driver().changed, &driver().mutex, &until);
}

Entry::Entry(const CallSite& site) : site_(site) {
  ++state().calls[site.call];
  if (const auto symbol = symbol_index(site.symbol)) ++driver().counts[*symbol];
}

void Entry::refresh() {
  if (driver().story != nullptr) driver().story->advance(state(), now());
}

Judgement Entry::judge(std::optional<unsigned> device) {
  if (driver().story == nullptr) return {};
  refresh();
  return driver().story->judge(site_, device, now());
}

bool Entry::still_hangs(const Judgement& judgement) {
  if (driver().ended) return judgement.verdict == Verdict::Hang;
  if (driver().story == nullptr) return false;
  refresh();
  return driver().story->still_hangs(judgement, now());
}

/// The lock is kept meanwhile: the driver's calls wait for one another, too.
void Entry::take_its_time() const {
  if (driver().story == nullptr || !driver().time.is_real()) return;
  const auto latency = driver().story->latency(site_.symbol);
  if (latency == latency.zero()) return;
  // A sleep may last this much longer than it should, so the end is waited for awake.
  constexpr std::chrono::microseconds kSlack{200};
  const auto end = std::chrono::steady_clock::now() + latency;
  if (latency > kSlack) std::this_thread::sleep_until(end - kSlack);
  while (std::chrono::steady_clock::now() < end) continue;
}

int Entry::outlast_hangs(const int& hang, std::optional<unsigned> device) {
  take_its_time();
  auto judgement = judge(device);
  while (hang != 0 || judgement.verdict == Verdict::Hang) {
    ++state().hanging;
    const auto story = driver().stories;
    while (hang != 0 || (driver().stories == story && still_hangs(judgement))) Lock::wait_a_moment();
    --state().hanging;
    judgement = judge(device);
  }
  return judgement.code;
}

Code Entry::admit_init() {
  const auto verdict = outlast_hangs(state().hang, std::nullopt);
  const auto forced = state().forced[site_.call];
  return as_code(forced != kSuccess ? forced : verdict);
}

Code Entry::admit() {
  constexpr int kNoHang = 0;
  const auto verdict = outlast_hangs(kNoHang, std::nullopt);
  if (const auto forced = state().forced[site_.call]; forced != kSuccess) return as_code(forced);
  if (verdict != kSuccess) return as_code(verdict);
  return state().initialised > 0 ? kSuccess : kUninitialized;
}

Code Entry::admit_lookup() {
  if (const auto forced = state().forced[site_.call]; forced != kSuccess) return as_code(forced);
  if (state().initialised <= 0) return kUninitialized;
  refresh();
  return kSuccess;
}

Code Entry::admit_found(NvmlFakeDevice& device) {
  const auto verdict = outlast_hangs(device.hang, static_cast<unsigned>(&device - state().devices));
  const auto forced = device.forced[site_.call];
  return as_code(forced != kSuccess ? forced : verdict);
}

Code Entry::admit(NvmlFakeDevice* device) {
  if (const auto code = admit_lookup(); code != kSuccess) return code;
  if (!is_device(state(), device)) return kInvalidArgument;
  if (const auto code = admit_found(*device); code != kSuccess) return code;
  if (device->stale != 0) return kInvalidArgument;
  if (device->gone != 0) return kGpuIsLost;
  if (driver().story != nullptr) {
    const auto index = static_cast<unsigned>(device - state().devices);
    driver().story->fill(state(), index, now(), driver().time.wall_origin_us());
  }
  return kSuccess;
}

bool Entry::is_lost(unsigned device) const {
  const auto& told = state().devices[device];
  if (told.gone != 0 || told.forced[kNvmlFakeEventWait] == kGpuIsLost) return true;
  return driver().story != nullptr && driver().story->is_lost(device, now());
}

bool is_gpu(const NvmlFakeState& state, const NvmlFakeDevice& device) {
  return static_cast<unsigned>(&device - state.devices) < state.gpus;
}

std::optional<unsigned> parent_of(const NvmlFakeState& state, unsigned device) {
  for (unsigned gpu = 0; gpu < state.gpus; ++gpu) {
    for (const auto slot : state.devices[gpu].mig_slots) {
      if (slot == device && slot != 0) return gpu;
    }
  }
  return std::nullopt;
}

Code put_text(const char* text, char* target, unsigned length) {
  if (target == nullptr) return kInvalidArgument;
  if (std::strlen(text) >= length) return kInsufficientSize;
  std::strcpy(target, text);
  return kSuccess;
}

}  // namespace nvml_fake
