#include "sources/motion.h"

#include <algorithm>

namespace dualgpuopt::memory {
namespace {

__extension__ using WideUnsigned = unsigned __int128;

/// Far above any device, and small enough that sums of many motions stay exact.
constexpr WideBytes kLargest = WideBytes{1} << 62;

/// splitmix64's finisher: every bit of the input changes about half of the output's.
std::uint64_t mixed(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

std::uint64_t noise_hash(const NoiseKey& key, std::uint64_t bucket) {
  std::uint64_t hash = 0;
  for (const auto part : {key.seed, key.lap, key.gpu, key.process, key.motion, bucket}) hash = mixed(hash ^ part);
  return hash;
}

/// amount * part / whole, towards zero; `whole` is not zero.
WideBytes share(SignedBytes amount, Duration part, Duration whole) {
  return WideBytes{amount} * part.count() / whole.count();
}

WideBytes noise_amount(const Motion& motion, Duration since, const NoiseKey& key) {
  const WideBytes magnitude = motion.amount < 0 ? -WideBytes{motion.amount} : WideBytes{motion.amount};
  const auto span = static_cast<WideUnsigned>(2 * magnitude + 1);
  const auto hash = noise_hash(key, static_cast<std::uint64_t>(since / motion.period));
  return static_cast<WideBytes>(hash * span >> 64) - magnitude;
}

WideBytes ramp_amount(const Motion& motion, Duration since) {
  return since >= motion.lasting ? motion.amount : share(motion.amount, since, motion.lasting);
}

/// Sawtooth, leak or noise, `since` after its beginning.
WideBytes periodic_amount(const Motion& motion, Duration since, const NoiseKey& key) {
  if (motion.period <= Duration::zero()) return 0;
  const bool over = motion.lasting > Duration::zero() && since >= motion.lasting;
  if (motion.kind == MotionKind::Leak) return share(motion.amount, over ? motion.lasting : since, motion.period);
  if (over) return 0;
  if (motion.kind == MotionKind::Noise) return noise_amount(motion, since, key);
  return share(motion.amount, since % motion.period, motion.period);
}

WideBytes amount_since(const Motion& motion, Duration since, const NoiseKey& key) {
  switch (motion.kind) {
    case MotionKind::Step: return motion.amount;
    case MotionKind::Ramp: return ramp_amount(motion, since);
    default: return periodic_amount(motion, since, key);
  }
}

}  // namespace

WideBytes motion_amount(const Motion& motion, Duration elapsed, const NoiseKey& key) {
  if (elapsed < motion.at) return 0;
  return std::clamp(amount_since(motion, elapsed - motion.at, key), -kLargest, kLargest);
}

}  // namespace dualgpuopt::memory
