#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "Sward_InputError.hpp"
#include "Sward_RopeScaling.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using Kind = RotaryScaling::Kind;

constexpr RotaryScaling linear{Kind::linear, 2.5};
constexpr RotaryScaling llama3{Kind::llama3, 8, 1, 4, 8192};

TEST(RopeScaling, knows_the_names_of_config_json) {
  EXPECT_EQ(find_rope_type("default"), Kind::none);
  EXPECT_EQ(find_rope_type("linear"), Kind::linear);
  EXPECT_EQ(find_rope_type("llama3"), Kind::llama3);
  for (const char* other : {"", "none", "dynamic", "yarn", "longrope", "Linear"})
    EXPECT_FALSE(find_rope_type(other).has_value()) << other;
  for (const Kind kind : {Kind::none, Kind::linear, Kind::llama3})
    EXPECT_EQ(find_rope_type(rope_type_name(kind)), kind);
}

TEST(RopeScaling, has_a_text_of_its_own_for_each) {
  EXPECT_EQ(to_text(RotaryScaling{}), "none");
  EXPECT_EQ(to_text(linear), "{rope_type = \"linear\", factor = 2.5}");
  EXPECT_EQ(to_text(llama3),
            "{rope_type = \"llama3\", factor = 8, low_freq_factor = 1, high_freq_factor = 4, "
            "original_max_position_embeddings = 8192}");
}

std::string error_of(RotaryScaling scaling, const std::function<void(RotaryScaling&)>& change) {
  change(scaling);
  return message_of<InputError>([&] { check(scaling, "file"); });
}

TEST(RopeScaling, accepts_what_can_be) {
  const auto nothing = [](RotaryScaling&) {};
  for (const RotaryScaling& scaling : {RotaryScaling{}, linear, llama3, RotaryScaling{Kind::linear, 1}})
    EXPECT_EQ(error_of(scaling, nothing), "no exception");
}

TEST(RopeScaling, names_what_cannot_be) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const RotaryScaling& scaling : {linear, llama3}) {
    EXPECT_EQ(error_of(scaling, [](auto& s) { s.factor = 0.5; }),
              "file: rope_scaling: factor is 0.5, wanted 1 or more");
    EXPECT_EQ(error_of(scaling, [&](auto& s) { s.factor = infinity; }),
              "file: rope_scaling: factor is inf, wanted 1 or more");
  }
  EXPECT_EQ(error_of(llama3, [](auto& s) { s.low_freq_factor = 0; }),
            "file: rope_scaling: low_freq_factor is 0, wanted more than 0");
  EXPECT_EQ(error_of(llama3, [](auto& s) { s.low_freq_factor = 4; }),
            "file: rope_scaling: high_freq_factor is 4, wanted more than low_freq_factor = 4");
  EXPECT_EQ(error_of(llama3, [&](auto& s) { s.high_freq_factor = infinity; }),
            "file: rope_scaling: high_freq_factor is inf, wanted more than low_freq_factor = 1");
  EXPECT_EQ(error_of(llama3, [](auto& s) { s.original_max_position_embeddings = 0; }),
            "file: rope_scaling: original_max_position_embeddings is 0, wanted 1 or more");
}

}  // namespace
}  // namespace Sward::Test
