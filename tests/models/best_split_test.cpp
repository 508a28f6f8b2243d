#include "models/best_split.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>

namespace dualgpuopt::memory {
namespace {

using Counts = std::vector<std::uint64_t>;

/// GPUs of so much room where a layer takes as much as is told, beside something fixed for each GPU that has some.
Margins rooms(std::vector<SignedBytes> room, SignedBytes layer, SignedBytes fixed) {
  return [room = std::move(room), layer, fixed](const Counts& counts) {
    auto margins = room;
    for (std::size_t i = 0; i < counts.size(); ++i)
      margins[i] -= counts[i] == 0 ? 0 : fixed + layer * static_cast<SignedBytes>(counts[i]);
    return margins;
  };
}

/// By trying all.
SignedBytes best_of_all(std::uint64_t layers, std::size_t gpus, const Margins& margins, Counts counts = {}) {
  if (counts.size() + 1 == gpus) {
    counts.push_back(layers);
    const auto left = margins(counts);
    return *std::min_element(left.begin(), left.end());
  }
  SignedBytes best = std::numeric_limits<SignedBytes>::min();
  for (std::uint64_t first = 0; first <= layers; ++first) {
    auto more = counts;
    more.push_back(first);
    best = std::max(best, best_of_all(layers - first, gpus, margins, std::move(more)));
  }
  return best;
}

TEST(BestSplit, OfOneGpuIsAll) { EXPECT_EQ(best_split(9, {1}, rooms({100}, 1, 0)), (LayerSplit{{9}, 91})); }

TEST(BestSplit, LeavesTheMostWhereLeastIsLeft) {
  EXPECT_EQ(best_split(30, {24, 16}, rooms({240, 160}, 8, 5)).layers, (Counts{20, 10}));
  EXPECT_EQ(best_split(10, {1, 1}, rooms({100, 20}, 5, 30)).layers, (Counts{10, 0})) << "the second is too small";
  EXPECT_EQ(best_split(10, {1, 1}, rooms({10, 10}, 5, 0)).margin, -15) << "what is best need not fit";
}

TEST(BestSplit, ComesToAnEndWithAnyNumberOfLayers) {
  const auto found = best_split(4'000, std::vector<double>(64, 1), rooms(std::vector<SignedBytes>(64, 1'000), 1, 0));
  EXPECT_EQ(std::accumulate(found.layers.begin(), found.layers.end(), std::uint64_t{0}), 4'000U);
  EXPECT_EQ(best_split(4'000, {1, 1}, rooms({3'000, 2'000}, 1, 0)).layers, (Counts{2'500, 1'500}));
}

TEST(BestSplit, ReadsAsAnOption) { EXPECT_EQ((LayerSplit{{20, 13}, 0}).text(), "20,13"); }

RC_GTEST_PROP(BestSplit, OfTwoGpusIsTheBestThereIs, ()) {
  const auto margins = rooms({*rc::gen::inRange(0, 500), *rc::gen::inRange(0, 500)}, *rc::gen::inRange(1, 20),
                             *rc::gen::inRange(0, 100));
  const auto layers = *rc::gen::inRange<std::uint64_t>(0, 40);
  RC_ASSERT(best_split(layers, {1, 1}, margins).margin == best_of_all(layers, 2, margins));
}

RC_GTEST_PROP(BestSplit, OfMoreGpusIsTheBestWhereLayersAreAlikeAndAllAreUsed, ()) {
  const auto gpus = *rc::gen::inRange<std::size_t>(3, 5);
  const auto room = *rc::gen::container<std::vector<int>>(gpus, rc::gen::inRange(300, 600));
  const auto margins = rooms({room.begin(), room.end()}, *rc::gen::inRange(1, 20), *rc::gen::inRange(0, 20));
  const auto layers = *rc::gen::inRange<std::uint64_t>(60, 80);
  const auto found = best_split(layers, {room.begin(), room.end()}, margins);
  RC_ASSERT(std::accumulate(found.layers.begin(), found.layers.end(), std::uint64_t{0}) == layers);
  if (std::find(found.layers.begin(), found.layers.end(), 0U) != found.layers.end()) return;
  RC_ASSERT(found.margin == best_of_all(layers, gpus, margins));
}

}  // namespace
}  // namespace dualgpuopt::memory
