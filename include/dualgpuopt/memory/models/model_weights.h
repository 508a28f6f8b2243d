// How many bytes a model's weights take, part by part.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dualgpuopt/memory/models/gguf.h"
#include "dualgpuopt/memory/models/model_shape.h"

namespace dualgpuopt::memory {

/// Bytes of the parts that llama.cpp may put on different devices.
struct ModelWeights {
  Bytes input = 0;             ///< The token embedding; llama.cpp keeps it in host memory.
  std::vector<Bytes> layers;   ///< Each with its experts.
  std::vector<Bytes> experts;  ///< Of each layer: what --cpu-moe leaves in host memory.
  Bytes output = 0;            ///< The last norm and the output matrix.
  bool tied = false;           ///< The output matrix is the embedding once more; `output` counts it.
  double parameters = 0;       ///< As many as the tensors have, or the dimensions tell; 0: not known.
  Bytes layer_input = 0;       ///< The embeddings of each layer (Gemma 3n); they lie with the token embedding.
  bool is_estimate = false;    ///< From the shape and the file type; else exact, from the table of tensors.

  [[nodiscard]] Bytes all_layers() const;
  /// Bytes of the file: a tied output is in it once.
  [[nodiscard]] Bytes in_file() const;
  /// Whether they are kept in 32 bits, but for a few.
  [[nodiscard]] bool are_of_32_bits() const;
};

/// Exact: from the tensors' names and sizes.
[[nodiscard]] ModelWeights weights_of(const GgufHeader& header);

/// One entry for every layer: none is missing, and what lies in layers beyond counts with the output.
[[nodiscard]] ModelWeights fitted(ModelWeights weights, std::size_t layers);

/// What quantisers of Hugging Face's models make smaller; all else is in bfloat16.
struct SmallLayers {
  double bytes_per_element = 2;
  bool experts_alone = false;  ///< Not attention and dense parts.
};

/// What a log tells of a file that is not at hand.
struct WeightHints {
  std::string file_type;                  ///< "Q4_K - Medium", "q8_0"; empty: f16.
  std::optional<Bytes> file_bytes;        ///< Then the layers are scaled to it.
  std::optional<double> parameters;       ///< Tells whether the output is tied.
  std::optional<bool> tied = {};          ///< The same, where it is told itself.
  std::optional<SmallLayers> small = {};  ///< Instead of a file type.
};

/// An estimate from the shape: each tensor's type follows the rules of llama.cpp's quantisation
/// (llama-quant.cpp, llama_tensor_get_type). Error: InvalidArgument for a file type that is not known of a file whose
/// size is not known either.
[[nodiscard]] Result<ModelWeights> weights_of(const ModelShape& shape, const WeightHints& hints);

}  // namespace dualgpuopt::memory
