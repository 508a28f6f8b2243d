#include "models/best_split.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace dualgpuopt::memory {
namespace {

using Counts = std::vector<std::uint64_t>;

class Search {
 public:
  Search(const Margins& margins, std::uint64_t most_tries) : margins_(margins), tries_left_(most_tries) {}

  /// Keeps the counts if they are better than the best so far: of two with as little left where least is left, the one
  /// with more where the next least is.
  bool take(const Counts& counts) {
    if (tries_left_ == 0) return false;
    --tries_left_;
    auto margins = margins_(counts);
    const auto tightest = std::min_element(margins.begin(), margins.end()) - margins.begin();
    std::sort(margins.begin(), margins.end());
    if (!best_.layers.empty() && margins <= sorted_) return false;
    best_ = {counts, margins.front()};
    sorted_ = std::move(margins);
    tightest_ = static_cast<std::size_t>(tightest);
    return true;
  }

  /// The best of moving that many layers away from the tightest GPU.
  bool move(std::uint64_t piece) {
    const auto from = tightest_;
    const auto counts = best_.layers;
    if (counts[from] < piece) return false;
    bool is_better = false;
    for (std::size_t to = 0; to < counts.size(); ++to) {
      auto moved = counts;
      moved[from] -= piece;
      moved[to] += piece;
      is_better = (to != from && take(moved)) || is_better;
    }
    return is_better;
  }

  [[nodiscard]] const LayerSplit& best() const { return best_; }

 private:
  const Margins& margins_;
  std::uint64_t tries_left_;
  LayerSplit best_;
  std::vector<SignedBytes> sorted_;  ///< What the best leaves, the least first.
  std::size_t tightest_ = 0;
};

/// Rounded where each share ends, so that the counts come to all layers.
Counts by_shares(std::uint64_t layers, const std::vector<double>& shares) {
  const double all = std::accumulate(shares.begin(), shares.end(), 0.0);
  Counts counts;
  double end = 0;
  std::uint64_t given = 0;
  for (const double share : shares) {
    end += all > 0 ? share / all : 1.0 / static_cast<double>(shares.size());
    const auto until = std::min(layers, static_cast<std::uint64_t>(std::llround(end * static_cast<double>(layers))));
    counts.push_back(std::max(until, given) - given);
    given = std::max(until, given);
  }
  counts.back() += layers - given;
  return counts;
}

}  // namespace

LayerSplit best_split(std::uint64_t layers, const std::vector<double>& shares, const Margins& margins) {
  // A try costs as much as there are layers: a bound for descriptions of models that nobody has.
  constexpr std::uint64_t most_work = 1'000'000;
  const auto tries = most_work / std::max<std::uint64_t>(layers, 1);
  Search search(margins, tries);
  if (shares.size() <= 2 && layers < tries) {
    for (std::uint64_t first = shares.size() == 2 ? 0 : layers; first <= layers; ++first)
      search.take(shares.size() == 2 ? Counts{first, layers - first} : Counts{first});
    return search.best();
  }
  search.take(by_shares(layers, shares));
  for (auto piece = std::max<std::uint64_t>(layers / 4, 1); piece > 0; piece /= 2) {
    while (search.move(piece)) continue;
  }
  return search.best();
}

}  // namespace dualgpuopt::memory
