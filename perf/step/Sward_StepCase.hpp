#pragma once

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "Sward_Configuration.hpp"

namespace Sward::Perf {

/// What is timed: MODEL:LENGTH:SEQUENCES:METHOD[:RANK], as the peer's program takes it.
struct StepCase {
  std::string text;
  LlamaShape shape;
  std::size_t length = 0;
  std::size_t sequences = 0;  ///< of an update, on each rank
  bool grass = true;
  std::int64_t rank = 0;
};

inline std::vector<std::string> split(const std::string& text, char separator) {
  std::istringstream stream(text);
  std::vector<std::string> fields;
  for (std::string field; std::getline(stream, field, separator);) fields.push_back(field);
  return fields;
}

/// PRESET, or HIDDEN/INTERMEDIATE/HEADS/LAYERS/VOCABULARY.
inline LlamaShape read_shape(const std::string& text) {
  const std::vector<std::string> sizes = split(text, '/');
  if (sizes.size() != 5) return preset_shape(text);
  LlamaShape shape;
  shape.hidden_size = std::stol(sizes[0]);
  shape.intermediate_size = std::stol(sizes[1]);
  shape.num_heads = shape.num_key_value_heads = std::stol(sizes[2]);
  shape.num_layers = std::stol(sizes[3]);
  shape.vocab_size = std::stol(sizes[4]);
  check(shape, text);
  return shape;
}

inline StepCase read_case(const std::string& text) {
  const std::vector<std::string> fields = split(text, ':');
  if (fields.size() < 4 || (fields[3] != "grass" && fields[3] != "adamw") ||
      (fields[3] == "grass" && fields.size() < 5))
    throw std::invalid_argument("'" + text + "' is no case: MODEL:LENGTH:SEQUENCES:grass:RANK or ...:adamw");
  StepCase result;
  result.text = text;
  result.shape = read_shape(fields[0]);
  result.length = std::stoul(fields[1]);
  result.sequences = std::stoul(fields[2]);
  result.grass = fields[3] == "grass";
  if (result.grass) result.rank = std::stol(fields[4]);
  return result;
}

/// Floating-point operations that a step executes, a token: 2 for each multiply-add; half of the scores, as the mask
/// leaves the others out.
inline double operations_per_token(const StepCase& c) {
  const auto d = static_cast<double>(c.shape.hidden_size);
  const auto f = static_cast<double>(c.shape.intermediate_size);
  const auto layers = static_cast<double>(c.shape.num_layers);
  const double r = std::min(static_cast<double>(c.rank), d);
  const double head = static_cast<double>(c.shape.vocab_size) * d;
  const double block = 4 * d * d + 3 * d * f;
  const double gradient = c.grass ? 4 * r * d + 3 * r * f : block;
  const double attention = 2 * d * static_cast<double>(c.length);
  return layers * (2 * 2 * block + 2 * gradient + 3.5 * attention) + 6 * head;
}

}  // namespace Sward::Perf
