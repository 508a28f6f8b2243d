#include "fakes/nvml/symbols.h"

#include <algorithm>

namespace nvml_fake {

static_assert(std::is_sorted(kSymbols.begin(), kSymbols.end()), "symbol_index looks names up by halves");

namespace {

void strip_front(std::string_view& name, std::string_view front) {
  if (name.substr(0, front.size()) == front) name.remove_prefix(front.size());
}

void strip_version(std::string_view& name) {
  const auto size = name.size();
  if (size > 3 && name.substr(size - 3, 2) == "_v") name.remove_suffix(3);
}

}  // namespace

std::optional<std::size_t> symbol_index(std::string_view symbol) {
  const auto found = std::lower_bound(kSymbols.begin(), kSymbols.end(), symbol);
  if (found == kSymbols.end() || *found != symbol) return std::nullopt;
  return static_cast<std::size_t>(found - kSymbols.begin());
}

std::string_view call_name(std::string_view symbol) {
  if (symbol == "nvmlInitWithFlags") return "Init";
  for (const auto* front : {"nvml", "Device", "System", "Get"}) strip_front(symbol, front);
  strip_version(symbol);
  return symbol;
}

bool means(std::string_view call, std::string_view symbol) { return call == symbol || call == call_name(symbol); }

bool names_a_call(std::string_view call) {
  return std::any_of(kSymbols.begin(), kSymbols.end(), [&](std::string_view symbol) { return means(call, symbol); });
}

}  // namespace nvml_fake
