// Learns a model's profile from what was seen: memory at some batch and number of tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "dualgpuopt/memory/core/error.h"
#include "dualgpuopt/memory/predictor/model_profile.h"

namespace dualgpuopt::memory {

/// What was in use while so many sequences with so many tokens in all were worked on. Batch 0 with 0 tokens is the
/// load: the model is there, and nothing has been worked on yet.
struct ProfileObservation {
  std::uint64_t batch = 0;
  std::uint64_t tokens = 0;
  Bytes used = 0;
};

/// One number of a profile, as far as it is known.
struct LearnedSize {
  Bytes bytes = 0;
  std::optional<double> error = {};  ///< Standard error in bytes; empty while no observation is to spare.

  friend bool operator==(const LearnedSize&, const LearnedSize&) = default;
};

/// The profile that fits the observations best, and how sure it is. A plain value.
struct ProfileFit {
  // Each is empty while the observations cannot tell it: `lacking` says why.
  std::optional<LearnedSize> base;
  std::optional<LearnedSize> per_batch;
  std::optional<LearnedSize> per_token;
  std::uint64_t observations = 0;
  std::uint64_t held = 0;    ///< Observations that only showed what the allocator kept from before.
  std::size_t settings = 0;  ///< Different pairs of batch and tokens that count, outliers included.
  std::size_t outliers = 0;  ///< Settings that were left out.
  double residual = 0;       ///< Root mean square of what the fit misses at the others, in bytes.
  std::string lacking;       ///< What to observe next; empty when all three numbers are known.

  [[nodiscard]] bool complete() const { return base && per_batch && per_token; }
  /// Error: Unavailable with what is lacking.
  [[nodiscard]] Result<ModelProfile> profile(std::string name) const;

  friend bool operator==(const ProfileFit&, const ProfileFit&) = default;
};

/// Fits used = base + batch * per_batch + tokens * per_token to observations, by least squares with no number negative.
///
/// What counts for a setting, that is a pair of batch and tokens:
/// - Of the load the least that was seen, of every other setting the most: a step is observed at any of its moments,
/// and
///   its peak is what must fit.
/// - A caching allocator keeps what a larger step took. An observation is *held*, and only counted, when nothing was
///   given back since an earlier one that it does not exceed in both batch and tokens: if it exceeds it in neither,
///   when it is not lower by more than `jitter`; if in one, when it is the same within `jitter`. A lower reading shows
///   that memory was given back, and counts. So go from small to large, or observe the peak that the framework itself
///   counts (torch.cuda.max_memory_allocated); a program that frees a part when it shrinks is not seen through.
///
/// Outliers: with at least twice as many settings as unknown numbers, those that the line of least absolute differences
/// misses by six times what it typically misses are left out, but never more than a quarter, and never one without
/// which a number could not be told. Of more the fit is poor instead, and `residual` says so.
///
/// The numbers are rounded to whole bytes. For data without noise whose outliers are few the order of the observations
/// does not matter, as long as no two in a row are equal. Deterministic. Memory is bounded: beyond kMostSettings every
/// second setting is forgotten. add() takes logarithmic time; fit() is linear in the settings, some milliseconds at the
/// most. Not thread-safe: one owner.
///
///     ProfileLearner learner;
///     (void)learner.add({0, 0, 7_GiB});               // after the load
///     (void)learner.add({1, 2048, 7_GiB + 56_MiB});   // while it works
///     (void)learner.add({4, 2048, 7_GiB + 206_MiB});
///     const auto profile = learner.fit().profile("mine");
class ProfileLearner {
 public:
  static constexpr std::size_t kMostSettings = 1024;
  static constexpr std::uint64_t kMostCount = std::uint64_t{1} << 30;  ///< Sequences or tokens.
  static constexpr Bytes kMostBytes = Bytes{1} << 50;

  /// `jitter`: by how much use varies while nothing happens; 0 where the GPU has no other user.
  explicit ProfileLearner(Bytes jitter = 0) : jitter_(jitter) {}

  /// InvalidArgument, naming the number, for more than the limits above; it is not counted.
  [[nodiscard]] Result<void> add(const ProfileObservation& seen);
  [[nodiscard]] ProfileFit fit() const;
  void reset() { *this = ProfileLearner(jitter_); }

 private:
  struct Setting {
    std::uint64_t batch = 0;
    std::uint64_t tokens = 0;
    friend auto operator<=>(const Setting&, const Setting&) = default;
  };

  [[nodiscard]] bool is_held(const ProfileObservation& seen) const;
  void remember(const ProfileObservation& seen);
  void forget_every_second();

  Bytes jitter_;
  std::map<Setting, Bytes> settings_;
  std::optional<ProfileObservation> level_;  // what the allocator holds, and the setting that it was taken for
  std::uint64_t observations_ = 0;
  std::uint64_t held_ = 0;
};

}  // namespace dualgpuopt::memory
