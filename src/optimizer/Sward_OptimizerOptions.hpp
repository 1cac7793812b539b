#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "Sward_MatrixSplit.hpp"
#include "Sward_ParameterInfo.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// How Grass selects, and how often.
struct GrassConstants {
  std::int64_t rank = 0;  ///< rows kept of each matrix, clamped to the dimension selected from
  Selection selection = Selection::norm;
  std::int64_t refresh_interval = 200;  ///< updates between two selections
  std::int64_t refresh_warmup = 20;     ///< updates over which the learning rate ramps after a selection; 0: none
  /// Moments of rows that stay selected go on, and only those of new rows start at zero and ramp. Not for selections
  /// with replacement nor for moments in 8 bits.
  bool keep_moments = false;
  double scale = 0.25;  ///< α, a factor on the step of projected matrices
  /// Whether rows or columns are selected: of the smaller dimension, or always of one.
  enum class SideRule { smaller, rows, columns } side = SideRule::smaller;
  std::uint64_t seed = 0;  ///< the same on all ranks, so that they sample alike
};

/// In what the moments of a parameter are kept: in the type that they are computed in, in bfloat16, or in 8 bits an
/// element with a float for each block of 256.
enum class StateType { full, bfloat16, int8 };

/// Adam's constants, the same for all parameters.
struct AdamConstants {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  StateType state = StateType::full;
};

/// Why moments cannot be kept as `keep_moments` wants; empty where they can, or need not be.
inline std::string obstacle_to_keeping_moments(const GrassConstants& grass, const AdamConstants& adam) {
  if (!grass.keep_moments) return "";
  if (adam.state == StateType::int8) return "is for moments that are kept in float or bfloat16";
  return draws_with_replacement(grass.selection) ? "is for selections without replacement" : "";
}

/// Which matrices are projected, and all constants of both methods.
struct OptimizerOptions {
  bool grass = true;  ///< false: AdamW in full for every parameter
  std::vector<ParameterKind> projected = {ParameterKind::attention, ParameterKind::mlp};
  AdamConstants adam;
  GrassConstants grass_constants;
  double clip = 0.0;                ///< bound on the gradient norm; 0: off
  bool stochastic_rounding = true;  ///< of weights in bfloat16; otherwise to the nearest
  std::uint64_t seed = 0;           ///< of that rounding
  bool bfloat16_messages = false;   ///< gradients are rounded before they are sent
  /// The most rows of the embedding's gradient that occur in an update, if only these are sent; 0: all are.
  std::size_t embedding_rows = 0;
  /// Layers are updated inside the backward pass, as soon as their gradients are complete, and all share the memory for
  /// these. For one rank and one micro-batch, without clipping and without updates that are taken back.
  bool updates_at_once = false;
  /// In a refresh, the sum of a matrix's gradient over ranks runs beside the product of the next, in a second
  /// workspace.
  bool overlaps_refresh = false;
  /// The ranks that share moments and updates, and weights if it says so. Those of the communicator in an optimizer
  /// that updates; one that only plans may be of a rank that does not exist.
  Shard shard;
  /// Micro-batches of an update, where ranks share weights. Those come together for each, and with a single one all
  /// layers share the memory for gradients.
  int micro_batches = 1;
};

/// Norm of the compressed and dense gradients of an update, after the sum over ranks.
struct GradientNorm {
  double norm = 0.0;
  std::string nonfinite_parameter;  ///< the first parameter with a gradient that is not finite, or empty
};

}  // namespace Sward
