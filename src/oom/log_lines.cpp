#include "oom/log_lines.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace dualgpuopt::memory {
namespace {

constexpr auto kNowhere = std::string_view::npos;
constexpr std::size_t kLongestText = 300;
/// No column is narrower: a line that is shorter was not wrapped.
constexpr std::size_t kShortestWrapped = 24;
/// Of a logger's prefix, its parts and the length of one.
constexpr int kMostParts = 12;
constexpr std::size_t kLongestPart = 80;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
bool is_of_word(char c) { return is_letter(c) || c == '_'; }
bool is_control(char c) { return (c >= '\0' && c < ' ') || c == '\x7f'; }

// --- bytes ---

/// How many bytes an escape sequence takes at the start of the text: CSI and OSC, else two.
std::size_t escape_length(std::string_view text) {
  if (text.size() < 2) return text.size();
  if (text[1] == ']') {
    const auto end = text.find('\a');
    return end == kNowhere ? 2 : end + 1;
  }
  if (text[1] != '[') return 2;
  std::size_t end = 2;
  while (end < text.size() && text[end] >= ' ' && text[end] < '@') ++end;
  return std::min(end + 1, text.size());
}

/// The length that the first byte of a UTF-8 character tells; 0 for one that is none.
std::size_t told_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return 2;
  return first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
}

/// The length of the UTF-8 character at the start of the text; 0 where that is none.
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto length = told_length(byte(0));
  if (length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xF0 && byte(1) < 0x90);
  const bool beyond = (byte(0) == 0xED && byte(1) > 0x9F) || (byte(0) == 0xF4 && byte(1) > 0x8F);
  const bool is_c1 = byte(0) == 0xC2 && byte(1) < 0xA0;  // control characters again
  return overlong || beyond || is_c1 ? 0 : length;
}

/// Calls `add` with every piece of the line that is not an escape sequence.
template <typename Add>
void without_escapes(std::string_view line, Add add) {
  while (!line.empty()) {
    const auto escape = std::min(line.find('\x1b'), line.size());
    add(line.substr(0, escape));
    line.remove_prefix(escape);
    if (!line.empty()) line.remove_prefix(escape_length(line));
  }
}

/// How many bytes at the start of the text stand for a blank: a control character, "\n" as JSON writes it, a blank that
/// does not break, the frame of a box.
std::size_t blank_length(std::string_view text) {
  if (text[0] == ' ' || is_control(text[0])) return 1;
  if (text[0] == '\\') return text.size() > 1 && (text[1] == 'n' || text[1] == 'r' || text[1] == 't') ? 2 : 0;
  if (text.starts_with("\xC2\xA0")) return 2;
  const bool is_frame = text.starts_with("\xE2\x94") || text.starts_with("\xE2\x95");
  return is_frame && text.size() > 2 ? 3 : 0;
}

void add_normalized(std::string& text, std::string_view piece) {
  while (!piece.empty()) {
    const char c = piece[0];
    const auto blank = blank_length(piece);
    if (blank == 0) {
      text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (c != '\0' && !text.empty() && text.back() != ' ') {
      text += ' ';
    }
    piece.remove_prefix(std::max<std::size_t>(blank, 1));
  }
}

// --- prefixes ---

std::string_view token_of(std::string_view text) { return text.substr(0, text.find(' ')); }

/// Without what stands between the parts of a prefix.
std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text[0] == ' ' || text[0] == '|' || text[0] == '>' || text[0] == ':')) text.remove_prefix(1);
  return text.starts_with("- ") ? trimmed(text.substr(2)) : text;
}

std::string_view after_token(std::string_view text) { return trimmed(text.substr(token_of(text).size())); }

/// "12:00:00.123456:", "2026-11-24t12:00:00z", "2026/11/24": digits with two of the signs of dates.
bool is_date(std::string_view token) {
  int signs = 0;
  for (const char c : token) {
    if (c == '-' || c == ':' || c == '/') {
      ++signs;
    } else if (!is_digit(c) && std::string_view(".,tz+").find(c) == kNowhere) {
      return false;
    }
  }
  return signs >= 2 && is_digit(token[0]);
}

/// "11-24" or glog's "e1124", before a time.
bool is_day(std::string_view token) {
  if (token.size() != 5) return false;
  const bool is_glog = std::string_view("iwef").find(token[0]) != kNowhere && is_digit(token[1]);
  return (is_glog || (is_digit(token[0]) && token[2] == '-')) && is_digit(token[4]);
}

bool is_month(std::string_view token) {
  constexpr std::array months{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
  return std::find(months.begin(), months.end(), token) != months.end();
}

bool is_level(std::string_view token) {
  if (token.ends_with(':')) token.remove_suffix(1);
  constexpr std::array levels{"debug", "info", "warn", "warning", "error",  "err", "critical", "fatal",
                              "trace", "i",    "w",    "stdout",  "stderr", "e",   "f",        "p"};
  return std::find(levels.begin(), levels.end(), token) != levels.end();
}

/// "unit[123]:" or "kernel:", after a host.
bool is_unit(std::string_view token) {
  return token == "kernel:" || (token.ends_with("]:") && token.find('[') != kNowhere && token[0] != '[');
}

/// "cuda_driver.cc:828]", as glog names a place.
bool is_place(std::string_view token) {
  return token.ends_with(']') && token.find('[') == kNowhere && token.find(':') != kNowhere &&
         token.find('.') != kNowhere;
}

/// What is in the bracket with which the text begins; empty where that is none, or a long one.
std::string_view in_bracket(std::string_view text, char close) {
  const auto end = text.substr(0, kLongestPart).find(close);
  return end == kNowhere ? std::string_view() : text.substr(1, end - 1);
}

/// "[rank0]", "[core.py:123]", "[2026-11-24 12:00:00]", and no "[500,17]".
std::string_view after_square_bracket(std::string_view text) {
  const auto inside = in_bracket(text, ']');
  if (inside.empty()) return text;
  const auto rest = text.substr(inside.size() + 2);
  const bool is_name = std::any_of(inside.begin(), inside.end(), [](char c) { return is_letter(c) || c == ':'; });
  return is_name || rest.starts_with('<') ? trimmed(rest) : text;
}

/// "(enginecore_dp0 pid=123)", "(raylet)".
std::string_view after_round_bracket(std::string_view text) {
  const auto inside = in_bracket(text, ')');
  const bool is_prefix = inside.find("pid=") != kNowhere || inside.find("rank") != kNowhere || inside == "raylet";
  return is_prefix ? trimmed(text.substr(inside.size() + 2)) : text;
}

/// "<stderr>:", as mpirun names the stream.
std::string_view after_stream(std::string_view text) {
  const auto inside = in_bracket(text, '>');
  return inside.starts_with("std") ? trimmed(text.substr(inside.size() + 2)) : text;
}

/// "container_1 | ", "module.name - ": a name, what ends it, and the rest.
std::string_view after_name(std::string_view text) {
  const auto rest = text.substr(std::min(text.size(), token_of(text).size() + 1));
  return rest.starts_with("| ") ? trimmed(rest) : text;
}

/// What follows a date: the host and unit of journald, or a logger's name before a dash.
std::string_view after_source(std::string_view text) {
  const auto rest = after_token(text);
  if (is_unit(token_of(text))) return rest;
  if (is_unit(token_of(rest))) return after_token(rest);
  return text.substr(token_of(text).size()).starts_with(" - ") ? rest : text;
}

bool is_date_ahead(std::string_view text) {
  const auto next = token_of(after_token(text));
  return !next.empty() && (is_date(next) || is_day(next));
}

/// The text without the first part of a prefix; the text itself where it begins with none.
std::string_view after_part(std::string_view text) {
  const auto token = token_of(text);
  if (text[0] == '[') return after_square_bracket(text);
  if (text[0] == '(') return after_round_bracket(text);
  if (text[0] == '<') return after_stream(text);
  if (token.size() > kLongestPart) return text;
  if (is_date(token)) return after_source(after_token(text));
  if (is_month(token)) return after_token(text);
  const bool is_dated = is_day(token) || is_level(token) || std::all_of(token.begin(), token.end(), is_digit);
  if (is_dated && is_date_ahead(text)) return after_token(text);
  if (is_place(token)) return after_token(text);
  return after_name(text);
}

/// What may stand between the parts of a prefix, but begins no line.
std::string_view after_inner_part(std::string_view text) {
  const auto token = token_of(text);
  const auto rest = after_token(text);
  const bool is_thread = std::all_of(token.begin(), token.end(), is_digit) && is_place(token_of(rest));
  if (is_level(token) || is_thread || is_place(token)) return rest;
  return text.substr(token.size()).starts_with(" - ") ? rest : text;
}

// --- wrapped texts ---

/// The words that tell what a message says. Where a line ends and the next begins with the halves of one of them, the
/// line was cut in the word.
constexpr std::string_view kWords =
    " according activations alloc alloc_failed alloc_tensor_range allocatable allocate allocated allocates "
    "allocating allocation allocations allocator allowed already amount and anon any api are at aten attempted "
    "attempting attention available avoid backend backends bad_alloc based batch be been below bfc_allocator "
    "bfloat blocks bool buffer buffers but buy by byte bytes cache cached call can cann cannot capacity capacty "
    "cgroup chunks cl_mem_object_allocation_failure cl_out_of_resources command complex compute constant "
    "constraint context could cpu create cublas_status_alloc_failed cuda cuda_error_out_of_memory "
    "cudaerrormemoryallocation cudamalloc cudamallocasync cudasuccess cudnn_status_alloc_failed cufft_alloc_failed "
    "cumem cumemalloc cumemcreate cupy curand_status_allocation_failed current currently "
    "cusolver_status_alloc_failed cusparse_status_alloc_failed decode defaultcpuallocator desired device dml "
    "double driver dst due encounter enough err error erroroutofdevicememory errors estimate estimated event "
    "events exceed exceeded exceeds executing exhausted exited exiting external failed failure far first fit float "
    "for fraction free from full further gallocr get ggml ggml_aligned_malloc gib gpu gpu_memory_utilization "
    "gpuassert gpus graph_reserve graphs greater half handle handler has have hbm hip hip_error "
    "hip_error_outofmemory hipblas_status_alloc_failed hiperror hiperrormemoryallocation hiperroroutofmemory "
    "hipmalloc host hsa_status_error_out_of_resources implicit in including information initialization initialize "
    "initialized instead insufficient int into inuse invalid is jaxlib job kernel kib kill killed killer kv "
    "kv_cache_init large larger layers layout len length less limit limited line llama llama_kv_cache load "
    "load_model load_tensors loading longer low lower make malloc malloc_or_wait max max_model_len maximum mem "
    "mem_fraction_static memory memory_limit memoryerror metal mib mklcpu mlu model models more mps musa needed "
    "new node non not npu number nv_err_no_memory no nvjpeg_status_allocator_failure occurred of ollama on only "
    "onnxruntime oom oom_kill oomkilled opencl optix_error_device_out_of_memory or ordinal org_tensorflow other "
    "others out out_of_memory outofmemory outofmemoryerror parallelism params peak per "
    "pi_error_out_of_device_memory pi_error_out_of_resources pid pinned pipeline pool pools possible prefill "
    "prevent private process python pytorch ram ran reduce reduced regular request requested requested_bytes "
    "required requires reserve reserved reserving resource resource_exhausted resourceexhaustederror "
    "result_error_out_of_device_memory result_error_out_of_resources retracted_reqs retrying rmm rmm_error "
    "rocblas_status_memory_error rocm rounded rss runner running runtime runtimeerror see self seq serve set shape "
    "signal size smaller space startup static status stored submission sum sure sycl system tactic tensor "
    "tensorflow tensorrt terminated than that thc thcudacheck the there they this tib to tokens too torch total "
    "total_gpu_memory total_region_allocated_bytes tpu tried trt try trying tsl type uint unable unallocated usage "
    "use used utilization vae valueerror video vk_error_out_of_device_memory vmem vram vulkan warming was when "
    "which while with without would xla xpu you ";

bool is_known(std::string_view word) { return kWords.find(std::string(" ").append(word) + " ") != kNowhere; }

std::string_view last_word(std::string_view text) {
  auto start = text.size();
  while (start > 0 && is_of_word(text[start - 1])) --start;
  return text.substr(start);
}

std::string_view first_word(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && is_of_word(text[end])) ++end;
  return text.substr(0, end);
}

bool is_cut_word(std::string_view text, std::string_view rest) {
  const auto first = last_word(text);
  const auto second = first_word(rest);
  if (first.empty() || second.empty()) return false;
  return is_known(std::string(first).append(second)) && !(is_known(first) && is_known(second));
}

/// "1,024,": what ends the text is a whole number that goes on.
bool ends_in_group(std::string_view text) {
  const auto start = text.find_last_not_of("0123456789,");
  const bool is_whole = start == kNowhere || text[start] != '.';
  return is_whole && text.size() > 1 && is_digit(text[text.size() - 2]);
}

/// Whether these texts may go on so after a number: with its end, a unit or a word of theirs, and no "100%|" or "8 of".
bool is_rest_of_number(std::string_view rest) {
  const auto end = rest.find_first_not_of("0123456789.,");
  if (end == kNowhere || std::string_view(")];/}\"'").find(rest[end]) != kNowhere) return true;
  if (rest[end - 1] == ',') return true;
  const auto after = rest.substr(rest[end] == ' ' ? end + 1 : end);
  const auto word = first_word(after);
  return after.starts_with('(') || word == "b" || (word != "of" && is_known(word));
}

/// Numbers never follow each other in these texts with but a blank between.
bool is_cut_number(std::string_view text, std::string_view rest) {
  const bool is_after_digit = text.size() > 1 && is_digit(text[text.size() - 2]);
  if (is_digit(text.back())) return is_digit(rest[0]) && is_rest_of_number(rest);
  if (text.back() == '.') return is_after_digit && is_digit(rest[0]) && is_rest_of_number(rest);
  const bool is_group = rest.size() > 2 && is_digit(rest[0]) && is_digit(rest[1]) && is_digit(rest[2]);
  if (text.back() == ',') return ends_in_group(text) && is_group && (rest.size() == 3 || !is_digit(rest[3]));
  return text.ends_with(" -") && is_digit(rest[0]);
}

}  // namespace

std::string normalized(std::string_view line) {
  std::string text;
  text.reserve(line.size());
  without_escapes(line, [&](std::string_view piece) { add_normalized(text, piece); });
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::string readable(std::string_view line) {
  std::string text;
  without_escapes(line, [&](std::string_view piece) {
    while (!piece.empty() && text.size() < kLongestText) {
      const auto length = character_length(piece);
      if (text.size() + length > kLongestText) return;
      if (length == 0) text += '?';
      if (length > 0 && piece[0] != '\0') text += is_control(piece[0]) ? " " : piece.substr(0, length);
      piece.remove_prefix(std::max<std::size_t>(length, 1));
    }
  });
  return text;
}

std::string_view without_prefix(std::string_view line) {
  auto rest = line.starts_with(':') ? line : trimmed(line);
  for (int parts = 0; parts < kMostParts && !rest.empty(); ++parts) {
    const auto before = rest;
    rest = after_part(rest);
    if (rest == before && parts > 0) rest = after_inner_part(rest);
    if (rest == before) break;
  }
  return rest;
}

void append_wrapped(std::string& text, std::string_view rest) {
  if (rest.empty()) return;
  const bool is_cut = !text.empty() && (text.back() == '_' || std::string_view("_;,:.)%").find(rest[0]) != kNowhere ||
                                        is_cut_number(text, rest) || is_cut_word(text, rest));
  if (!text.empty() && !is_cut) text += ' ';
  text += rest;
}

bool may_go_on(std::string_view before, std::size_t length, std::string_view rest) {
  if (length < kShortestWrapped || before.empty() || rest.empty()) return false;
  return std::string_view(".!?}]\"'").find(before.back()) == kNowhere || is_digit(rest[0]);
}

}  // namespace dualgpuopt::memory
