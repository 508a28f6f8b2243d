#include "fakes/nvml/story/faults.h"

#include "fakes/nvml/codes.h"
#include "fakes/nvml/symbols.h"

namespace nvml_fake {
namespace {

/// A GPU takes its instances along where the fault is the hardware's.
bool spreads(FaultKind kind) { return kind == FaultKind::Lost || kind == FaultKind::Hang; }

bool concerns(const Fault& fault, const Target& target) {
  if (!target.gpu) return !fault.gpu;
  if (fault.gpu && fault.gpu != target.gpu) return false;
  if (fault.instance) return fault.instance == target.slot;
  return !target.slot || !fault.gpu || spreads(fault.kind);
}

/// Without a call named, a fault concerns what is about devices.
bool is_meant(const Fault& fault, const CallSite& site, const Target& target) {
  return fault.call.empty() ? target.gpu.has_value() : means(fault.call, site.symbol);
}

bool is_lookup(NvmlFakeCall call) {
  return call == kNvmlFakeHandleByIndex || call == kNvmlFakeHandleByUuid || call == kNvmlFakeHandleByPci;
}

/// What containers may not ask of a partitioned GPU.
bool needs_privilege(NvmlFakeCall call) {
  return call == kNvmlFakeMemoryV1 || call == kNvmlFakeMemoryV2 || call == kNvmlFakeCompute ||
         call == kNvmlFakeGraphics || call == kNvmlFakeMps || call == kNvmlFakeDetailList;
}

/// The code with which a fault makes a call fail; 0 if it does not.
int code_of(const Fault& fault, const CallSite& site, const Target& target) {
  switch (fault.kind) {
    case FaultKind::Error: return is_meant(fault, site, target) ? fault.code : 0;
    case FaultKind::Lost: return !target.gpu ? 0 : is_lookup(site.call) ? fault.lookup : kGpuIsLost;
    case FaultKind::Mismatch: return site.call == kNvmlFakeInit ? kVersionMismatch : 0;
    case FaultKind::ParentDenied: return target.gpu && !target.slot && needs_privilege(site.call) ? kNoPermission : 0;
    default: return 0;
  }
}

std::uint64_t next_random(std::uint64_t& state) {
  state = state * 6364136223846793005U + 1442695040888963407U;
  return state >> 32U;
}

}  // namespace

bool Faults::happens(const Fault& fault) {
  if (fault.probability >= 1) return true;
  constexpr double kRange = 4294967296.0;
  return static_cast<double>(next_random(random_)) < fault.probability * kRange;
}

Judgement Faults::hang(const Fault& fault) const {
  Judgement judgement;
  judgement.verdict = Verdict::Hang;
  if (fault.span.stop) judgement.hangs_until = origin_ + *fault.span.stop;
  return judgement;
}

Judgement Faults::judge(const CallSite& site, const Target& target, Duration now) {
  Judgement judgement;
  for (const auto& fault : faults_) {
    if (!is_active(fault, now) || !concerns(fault, target)) continue;
    if (fault.kind == FaultKind::Hang && is_meant(fault, site, target) && happens(fault)) return hang(fault);
    const auto code = code_of(fault, site, target);
    if (judgement.code == 0 && code != 0 && happens(fault)) judgement = {Verdict::Fail, code, std::nullopt, 0};
  }
  return judgement;
}

const Fault* Faults::find(FaultKind kind, const Target& target, Duration now) const {
  for (const auto& fault : faults_) {
    if (fault.kind == kind && is_active(fault, now) && concerns(fault, target)) return &fault;
  }
  return nullptr;
}

}  // namespace nvml_fake
