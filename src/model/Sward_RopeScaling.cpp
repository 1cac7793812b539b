#include "Sward_RopeScaling.hpp"

#include <fmt/core.h>

#include <cmath>

#include "Sward_InputError.hpp"

namespace Sward {
namespace {

using Kind = RotaryScaling::Kind;

constexpr std::pair<const char*, Kind> names[] = {
    {"default", Kind::none}, {"linear", Kind::linear}, {"llama3", Kind::llama3}};

void require(bool holds, const std::string& source, const std::string& sentence) {
  if (!holds) throw InputError(fmt::format("{}: rope_scaling: {}", source, sentence));
}

}  // namespace

std::optional<Kind> find_rope_type(const std::string& name) {
  for (const auto& [known, kind] : names)
    if (name == known) return kind;
  return std::nullopt;
}

std::string rope_type_name(Kind kind) {
  for (const auto& [name, known] : names)
    if (kind == known) return name;
  return {};
}

std::string to_text(const RotaryScaling& scaling) {
  if (scaling.kind == Kind::none) return "none";
  const std::string begin =
      fmt::format("{{rope_type = \"{}\", factor = {}", rope_type_name(scaling.kind), scaling.factor);
  if (scaling.kind == Kind::linear) return begin + "}";
  return fmt::format("{}, low_freq_factor = {}, high_freq_factor = {}, original_max_position_embeddings = {}}}", begin,
                     scaling.low_freq_factor, scaling.high_freq_factor, scaling.original_max_position_embeddings);
}

void check(const RotaryScaling& scaling, const std::string& source) {
  if (scaling.kind == Kind::none) return;
  require(std::isfinite(scaling.factor) && scaling.factor >= 1, source,
          fmt::format("factor is {}, wanted 1 or more", scaling.factor));
  if (scaling.kind == Kind::linear) return;
  require(std::isfinite(scaling.low_freq_factor) && scaling.low_freq_factor > 0, source,
          fmt::format("low_freq_factor is {}, wanted more than 0", scaling.low_freq_factor));
  require(std::isfinite(scaling.high_freq_factor) && scaling.high_freq_factor > scaling.low_freq_factor, source,
          fmt::format("high_freq_factor is {}, wanted more than low_freq_factor = {}", scaling.high_freq_factor,
                      scaling.low_freq_factor));
  require(scaling.original_max_position_embeddings >= 1, source,
          fmt::format("original_max_position_embeddings is {}, wanted 1 or more",
                      scaling.original_max_position_embeddings));
}

}  // namespace Sward
