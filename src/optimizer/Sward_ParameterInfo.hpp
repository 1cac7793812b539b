#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace Sward {

/// What a parameter is to a model: what is projected, and what decays, is decided by it.
enum class ParameterKind { embedding, attention, mlp, norm, head };

/// One weight matrix (rows outputs, columns inputs; for the embedding rows is the vocabulary), or one norm of
/// `columns` entries with rows = 1.
struct ParameterInfo {
  std::string name;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  ParameterKind kind = ParameterKind::norm;
  /// From 0; -1 for a parameter outside the layers.
  int layer = -1;

  std::int64_t size() const { return rows * columns; }
};

/// Whether the embedding is the head too.
bool is_tied(const std::vector<ParameterInfo>& parameters);

/// Parameters whose gradients are one message, and whose weights come together where ranks share them.
struct ParameterGroups {
  std::vector<std::string> labels;  ///< "embedding", "layer 0" and so on, "head" with the final norm; in order
  std::vector<std::size_t> of;      ///< the group of each parameter
};

/// Throws std::logic_error unless the parameters of each group follow each other.
ParameterGroups group_parameters(const std::vector<ParameterInfo>& parameters);

}  // namespace Sward
