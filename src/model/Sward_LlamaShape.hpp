#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "Sward_RotaryScaling.hpp"

namespace Sward {

/// What determines a LLaMA's parameters and its forward pass; the names are those of config.json, shortened.
struct LlamaShape {
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t num_layers = 0;
  std::int64_t vocab_size = 0;
  bool tie_embeddings = false;
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000;
  RotaryScaling rope_scaling = {};

  std::int64_t head_size() const { return hidden_size / num_heads; }
  /// Width of the keys and of the values.
  std::int64_t key_value_size() const { return head_size() * num_key_value_heads; }

  bool operator==(const LlamaShape&) const = default;
};

/// Throws InputError, beginning with `source` (a file, or where else the shape comes from), when no model can have
/// this shape: a size outside 1 to 2^31 - 1, more than 2^16 layers or 2^48 parameters, heads that do not divide, an odd
/// head size, a constant out of range.
void check(const LlamaShape& shape, const std::string& source);

/// A member that two shapes differ in, and what either has there.
struct ShapeDifference {
  std::string member, first, second;
};

/// The first member, in their order, that two shapes differ in; nothing for equal ones.
std::optional<ShapeDifference> first_difference(const LlamaShape& first, const LlamaShape& second);

/// Throws InputError, beginning with `source`, whose model has the shape `found`, unless that is the one of [model].
void require_shape(const std::string& source, const LlamaShape& found, const LlamaShape& wanted);

}  // namespace Sward
