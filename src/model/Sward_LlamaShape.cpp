#include "Sward_LlamaShape.hpp"

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "Sward_InputError.hpp"
#include "Sward_RopeScaling.hpp"

namespace Sward {
namespace {

void require(bool holds, const std::string& source, const std::string& sentence) {
  if (!holds) throw InputError(source + ": " + sentence);
}

void check_size(std::int64_t size, const char* name, const std::string& source) {
  require(size >= 1 && size <= std::numeric_limits<std::int32_t>::max(), source,
          fmt::format("{} is {}, wanted 1 to 2^31 - 1", name, size));
}

/// A plan of a larger model would not fit 64 bits, and lists of its parameters would fill the memory.
void check_count(const LlamaShape& shape, const std::string& source) {
  constexpr std::int64_t most_layers = 1 << 16;
  constexpr double most_parameters = 281474976710656;  // 2^48
  require(shape.num_layers <= most_layers, source,
          fmt::format("num_layers is {}, wanted 1 to {}", shape.num_layers, most_layers));
  const auto hidden = static_cast<double>(shape.hidden_size);
  const double layer = hidden * (4 * hidden + 3 * static_cast<double>(shape.intermediate_size));
  const double count =
      static_cast<double>(shape.num_layers) * layer + 2 * hidden * static_cast<double>(shape.vocab_size);
  require(count <= most_parameters, source,
          fmt::format("the sizes make about {:.2g} parameters, wanted at most 2^48", count));
}

void check_multiple(std::int64_t size, const char* name, std::int64_t divisor, const char* divisor_name,
                    const std::string& source) {
  require(size % divisor == 0, source,
          fmt::format("{} is {}, which is not a multiple of {} = {}", name, size, divisor_name, divisor));
}

/// Of two shapes, one member after the other.
class Comparison {
 public:
  template <class Value>
  void compare(const char* member, const Value& first, const Value& second) {
    if (!difference_ && !(first == second)) difference_ = {member, fmt::format("{}", first), fmt::format("{}", second)};
  }
  const std::optional<ShapeDifference>& difference() const { return difference_; }

 private:
  std::optional<ShapeDifference> difference_;
};

}  // namespace

std::optional<ShapeDifference> first_difference(const LlamaShape& first, const LlamaShape& second) {
  Comparison members;
  members.compare("hidden_size", first.hidden_size, second.hidden_size);
  members.compare("intermediate_size", first.intermediate_size, second.intermediate_size);
  members.compare("num_heads", first.num_heads, second.num_heads);
  members.compare("num_key_value_heads", first.num_key_value_heads, second.num_key_value_heads);
  members.compare("num_layers", first.num_layers, second.num_layers);
  members.compare("vocab_size", first.vocab_size, second.vocab_size);
  members.compare("tie_embeddings", first.tie_embeddings, second.tie_embeddings);
  members.compare("rms_norm_eps", first.rms_norm_eps, second.rms_norm_eps);
  members.compare("rope_theta", first.rope_theta, second.rope_theta);
  members.compare("rope_scaling", to_text(first.rope_scaling), to_text(second.rope_scaling));
  return members.difference();
}

void require_shape(const std::string& source, const LlamaShape& found, const LlamaShape& wanted) {
  if (const auto difference = first_difference(found, wanted))
    throw InputError(fmt::format("{}: has model.{} = {}, not {}", source, difference->member, difference->first,
                                 difference->second));
}

void check(const LlamaShape& shape, const std::string& source) {
  check_size(shape.hidden_size, "hidden_size", source);
  check_size(shape.intermediate_size, "intermediate_size", source);
  check_size(shape.num_heads, "num_heads", source);
  check_size(shape.num_key_value_heads, "num_key_value_heads", source);
  check_size(shape.num_layers, "num_layers", source);
  check_size(shape.vocab_size, "vocab_size", source);
  check_count(shape, source);
  check_multiple(shape.hidden_size, "hidden_size", shape.num_heads, "num_heads", source);
  check_multiple(shape.num_heads, "num_heads", shape.num_key_value_heads, "num_key_value_heads", source);
  require(shape.head_size() % 2 == 0, source,
          fmt::format("the head size (hidden_size / num_heads) is {}, which is odd", shape.head_size()));
  require(std::isfinite(shape.rms_norm_eps) && shape.rms_norm_eps >= 0, source,
          fmt::format("rms_norm_eps is {}, wanted 0 or more", shape.rms_norm_eps));
  require(std::isfinite(shape.rope_theta) && shape.rope_theta > 0, source,
          fmt::format("rope_theta is {}, wanted more than 0", shape.rope_theta));
  check(shape.rope_scaling, source);
}

}  // namespace Sward
