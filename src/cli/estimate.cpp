#include "cli/command.h"
#include "cli/estimate_table.h"
#include "cli/free_gpus.h"
#include "dualgpuopt/memory/profiles/any_estimate.h"

namespace dualgpuopt::memory::cli {
namespace {

struct EstimateOptions {
  EstimateRequest request;
  std::string split_mode = "layer";
  std::string flash_attention = "on";
  std::string runtime = "llama.cpp";
  std::string profiles;  ///< A file; empty: the built-in ones alone.
  SourceChoice source;
  bool free = false;
  bool json = false;
};

Result<std::string> answer(const EstimateRequest& request, const EstimateOptions& options) {
  const auto estimate = estimate_any({request, options.runtime, options.profiles});
  if (!estimate) return fail(estimate.error());
  return std::visit([&](const auto& one) { return options.json ? to_json(one) : estimate_table(one); }, *estimate);
}

int print(const Result<std::string>& text) {
  if (!text) return report(text.error());
  const auto written = Output().write(*text);
  return written ? kFine : report(written.error());
}

int estimate_free(EstimateRequest request, const EstimateOptions& options, const Snapshot& seen) {
  const auto free = free_gpus(seen);
  if (!free) return report(free.error());
  request.gpus = free->sizes();
  return print(answer(request, options).map([&](const std::string& text) {
    return options.json ? free->added_to(text) + "\n" : free->text() + text;
  }));
}

int estimate(const EstimateOptions& options) {
  auto request = options.request;
  request.split_rows = options.split_mode == "row";
  request.flash_attention = options.flash_attention == "on";
  if (!options.free)
    return print(
        answer(request, options).map([&](const std::string& text) { return text + (options.json ? "\n" : ""); }));
  return look_once(options.source, {}, [&](const auto& seen) {
    return seen ? estimate_free(request, options, **seen) : report(seen.error());
  });
}

using Options = std::shared_ptr<EstimateOptions>;

void add_model(CLI::App& command, const Options& options) {
  command.add_option(
      "MODEL", options->request.model,
      "A GGUF file (of a split one any part), a folder or file of safetensors, a config.json, or the name "
      "of a profile, as llama2-7b");
  command.add_option("--profiles", options->profiles, "A TOML file with more profiles that MODEL may name");
  command.add_option("--hparams", options->request.hparams, "Instead: hyper-parameters as a log prints them, as JSON");
  command.add_option("--runtime", options->runtime, "llama.cpp, vllm, transformers or training")
      ->check(CLI::IsMember({"llama.cpp", "vllm", "transformers", "training"}));
  command.add_option("-c,--context", options->request.context, "Tokens; what the model was trained for if not given")
      ->check(CLI::Range(0, 1 << 30));
  command.add_option("--parallel,--batch", options->request.parallel, "Sequences side by side")
      ->check(CLI::Range(1, 65536));
  command.add_option("--flash-attn", options->flash_attention, "on or off")->check(CLI::IsMember({"on", "off"}));
  command.add_option("--kv-type-k", options->request.key_type, "Number format of the keys: f16, q8_0, q4_0, …");
  command.add_option("--kv-type-v", options->request.value_type, "Number format of the values");
}

void add_gpus(CLI::App& command, const Options& options) {
  auto* gpus = command.add_option("--gpus", options->request.gpus,
                                  "How many, or what is free on each, as in 24GiB,16GiB; 0: none");
  auto* free = command.add_flag("--free", options->free, "What is free on this machine's GPUs now")->excludes(gpus);
  options->source.add_to(command);
  for (const auto* option : {"--source", "--timeout", "--wake"}) command.get_option(option)->needs(free);
  command.add_option("--split", options->request.split, "Each GPU's share, as in 3,1; by what is free if not given");
  command.add_option("--split-mode", options->split_mode, "layer or row")->check(CLI::IsMember({"layer", "row"}));
  command.add_option("--main-gpu", options->request.main_gpu, "The GPU of the cache, with --split-mode row")
      ->check(CLI::Range(0, 63));
}

void add_llamacpp(CLI::App& command, const Options& options) {
  auto* group = command.add_option_group("llama.cpp");
  group->add_option("--ubatch", options->request.micro_batch, "Tokens computed at once")->check(CLI::Range(1, 1 << 20));
  group
      ->add_option("--gpu-layers", options->request.gpu_layers,
                   "So many layers on the GPUs, the output being one; all if not given")
      ->check(CLI::Range(0, 1 << 20));
  group->add_flag("--cpu-moe", options->request.cpu_moe, "All experts in host memory");
  group->add_option("--n-cpu-moe", options->request.host_expert_layers, "The experts of so many layers in host memory")
      ->check(CLI::Range(0, 1 << 20));
  group
      ->add_option("--override-tensor", options->request.override_tensor,
                   "PATTERN=DEVICE,…: tensors whose names match are put there, as in exps=CPU or blk.1[0-9].=CUDA1")
      ->allow_extra_args(false);
  group->add_flag("--swa-full", options->request.full_window, "Sliding-window layers keep the whole context");
  group->add_flag("--kv-unified", options->request.unified, "Sequences share the context");
  group->add_option("--mla", options->request.latent, "0 to 3: how latent attention is kept")->check(CLI::Range(0, 3));
  group->add_option("--amb", options->request.attention_limit, "MiB of scores at once, as -amb of ik_llama.cpp; 0: all")
      ->check(CLI::Range(0, 1 << 30));
  group->add_flag("!--no-op-offload", options->request.host_ops_on_gpu,
                  "Weights in host memory are not copied to a GPU for large batches");
  group->add_flag("!--no-pipeline", options->request.pipeline, "For backends that keep no copies of inputs, as Vulkan");
  group->add_option("--runtime-version", options->request.version, "A build such as b5400, or ik for ik_llama.cpp");
}

void add_vllm(CLI::App& command, const Options& options) {
  auto* group = command.add_option_group("vLLM");
  group->add_option("--gpu-memory-utilization", options->request.utilization, "The share of each GPU it takes");
  group->add_option("--max-num-batched-tokens", options->request.batched_tokens, "Tokens computed at once")
      ->check(CLI::Range(1, 1 << 30));
}

void add_torch(CLI::App& command, const Options& options) {
  auto* group = command.add_option_group("transformers and training");
  group->add_option("--weight-type", options->request.weight_type,
                    "Number format of the weights: bf16, f32, i8, …; as in the file if not given");
  group->add_option("--optimizer", options->request.optimizer, "sgd, momentum, adamw or adamw8bit");
  group->add_option("--precision", options->request.precision, "f32, mixed or bf16");
  group->add_option("--sharding", options->request.sharding,
                    "What is spread over the GPUs: none, optimizer, gradients or full");
  group->add_flag("--checkpointing", options->request.checkpointing, "Activations are computed again");
  group->add_flag("--accumulation", options->request.accumulation, "Gradients of earlier steps are kept");
  group->add_option("--lora-rank", options->request.lora_rank, "Adapters of every matrix alone are trained")
      ->check(CLI::Range(0, 65536));
}

}  // namespace

void add_estimate(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("estimate", "How much GPU memory a model needs, before it is loaded");
  const auto options = std::make_shared<EstimateOptions>();
  for (const auto add : {add_model, add_gpus, add_llamacpp, add_vllm, add_torch}) add(*command, options);
  command->add_flag("--json", options->json, "One JSON line");
  command->footer("Example: gpumem estimate model.gguf --context 32768 --gpus 24GiB,24GiB");
  command->callback([&action, options] { action = [options] { return estimate(*options); }; });
}

}  // namespace dualgpuopt::memory::cli
