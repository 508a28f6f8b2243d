// Recordings as texts for the tests, and short questions about what came of them.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "dualgpuopt/memory/sources/trace.h"

namespace dualgpuopt::memory {

/// The lines, each with its line feed.
inline std::string lines(std::initializer_list<std::string_view> texts) {
  std::string joined;
  for (const auto text : texts) joined.append(text).append("\n");
  return joined;
}

/// A recording in the CSV form with seconds, under its header.
inline std::string csv(std::initializer_list<std::string_view> rows) {
  return "t_s,gpu,used_bytes,total_bytes\n" + lines(rows);
}

/// What parse_trace complains of; empty when it does not.
inline std::string refusal(std::string_view text) {
  const auto trace = parse_trace(text);
  if (trace) return {};
  EXPECT_EQ(trace.error().code(), ErrorCode::ParseFailed);
  return trace.error().describe();
}

/// The trace of a text that must parse; an empty one, with a failed test, where it does not.
inline Trace parsed(std::string_view text) {
  auto trace = parse_trace(text);
  if (trace) return std::move(*trace);
  ADD_FAILURE() << trace.error().describe();
  return {};
}

/// A device of which only the identity is known.
inline Device device_with_key(int gpu, std::string key) {
  Device device;
  device.gpu = gpu;
  device.key = std::move(key);
  return device;
}

/// A moment of a trace.
inline MonoTime at_seconds(double seconds) { return MonoTime(std::chrono::duration_cast<Duration>(Seconds(seconds))); }

}  // namespace dualgpuopt::memory
