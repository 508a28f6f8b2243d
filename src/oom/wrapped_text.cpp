#include "oom/wrapped_text.h"

namespace dualgpuopt::memory {
namespace {

constexpr auto kNowhere = std::string_view::npos;
/// No column is narrower: a line that is shorter was not wrapped.
constexpr std::size_t kShortestWrapped = 24;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_of_word(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }

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
