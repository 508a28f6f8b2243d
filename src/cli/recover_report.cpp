#include "cli/recover_report.h"

#include "cli/describe.h"
#include "cli/style.h"
#include "core/format.h"

namespace dualgpuopt::memory::cli {
namespace {

std::string describe_evidence(const Decision& decision) {
  const auto label = provenance_label(decision.provenance);
  auto line = format_text("GPU {}  ", decision.gpu);
  if (decision.evidence.ok()) line += describe_use(*decision.evidence.memory, ByteUnit::Auto) + "  ";
  line += format_text("target {}", format_bytes(decision.target_used));
  if (decision.mode == ActionMode::DryRun) line += "  dry run";
  return line + (label.empty() ? "" : "  " + label) + "\n";
}

std::string describe_candidate(const Candidate& candidate) {
  const auto score = candidate.score ? format_text("{:.0f}", *candidate.score) : "-";
  const auto bytes = candidate.bytes ? format_bytes(*candidate.bytes) : "not known";
  return format_text("{} {:>3}  {:>9}  {}: {}\n", candidate.chosen ? "->" : "  ", score, bytes,
                     printable(candidate.what), printable(candidate.reason));
}

}  // namespace

std::string describe_relief(const Decision& decision) {
  auto text = describe_evidence(decision);
  for (const auto& rung : decision.rungs) {
    text += "\n   score   memory  process\n";
    for (const auto& candidate : rung.candidates) text += describe_candidate(candidate);
    if (rung.detail != decision.reason) text += printable(rung.detail) + "\n";
  }
  return text + format_text("\n{}: {}\n", to_string(decision.end), printable(decision.reason));
}

}  // namespace dualgpuopt::memory::cli
