#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "Sward_InputError.hpp"
#include "Sward_LlamaShape.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using testing::HasSubstr;

std::string error_of(const std::function<void(LlamaShape&)>& change) {
  LlamaShape shape{48, 100, 4, 2, 3, 97, false, 1e-6, 10000};
  change(shape);
  return message_of<InputError>([&] { check(shape, "file"); });
}

TEST(LlamaShape, accepts_what_can_be) {
  EXPECT_EQ(error_of([](LlamaShape&) {}), "no exception");
  EXPECT_EQ(error_of([](LlamaShape& shape) { shape.num_key_value_heads = 1; }), "no exception");
}

TEST(LlamaShape, names_what_cannot_be) {
  EXPECT_EQ(error_of([](LlamaShape& s) { s.hidden_size = 0; }), "file: hidden_size is 0, wanted 1 to 2^31 - 1");
  EXPECT_THAT(error_of([](LlamaShape& s) { s.intermediate_size = -1; }), HasSubstr("intermediate_size is -1"));
  EXPECT_THAT(error_of([](LlamaShape& s) { s.num_heads = 0; }), HasSubstr("num_heads is 0"));
  EXPECT_THAT(error_of([](LlamaShape& s) { s.num_key_value_heads = 0; }), HasSubstr("num_key_value_heads is 0"));
  EXPECT_THAT(error_of([](LlamaShape& s) { s.num_layers = 0; }), HasSubstr("num_layers is 0"));
  EXPECT_THAT(error_of([](LlamaShape& s) { s.vocab_size = std::int64_t{1} << 31; }), HasSubstr("vocab_size"));
  EXPECT_EQ(error_of([](LlamaShape& s) { s.num_layers = 65'536; }), "no exception");
  EXPECT_EQ(error_of([](LlamaShape& s) { s.num_layers = 65'537; }), "file: num_layers is 65537, wanted 1 to 65536");
  // 65,536 times 2^31 parameters in the two matrices of the vocabulary, and few more than none in the layer.
  const auto wide = [](LlamaShape& s) { s = {65'536, 1, 1, 1, 1, (std::int64_t{1} << 31) - 200'000, false, 0, 1}; };
  EXPECT_EQ(error_of(wide), "no exception");
  EXPECT_THAT(error_of([&](LlamaShape& s) {
                wide(s);
                s.vocab_size += 199'999;
              }),
              HasSubstr("the sizes make about 2.8e+14 parameters, wanted at most 2^48"));
  EXPECT_THAT(error_of([](LlamaShape& s) { s.hidden_size = s.intermediate_size = s.vocab_size = 2'000'000'000; }),
              HasSubstr("parameters, wanted at most 2^48"));
  EXPECT_THAT(error_of([](LlamaShape& s) { s.num_heads = 5; }), HasSubstr("not a multiple of num_heads = 5"));
  EXPECT_THAT(error_of([](LlamaShape& s) { s.num_key_value_heads = 3; }),
              HasSubstr("num_heads is 4, which is not a multiple of num_key_value_heads = 3"));
  EXPECT_THAT(error_of([](LlamaShape& s) { s.hidden_size = 44; }), HasSubstr("is 11, which is odd"));
  EXPECT_THAT(error_of([](LlamaShape& s) { s.rms_norm_eps = -1; }), HasSubstr("rms_norm_eps is -1"));
  EXPECT_THAT(error_of([](LlamaShape& s) { s.rope_theta = 0; }), HasSubstr("rope_theta is 0"));
  EXPECT_THAT(error_of([](LlamaShape& s) { s.rope_theta = std::numeric_limits<double>::infinity(); }),
              HasSubstr("rope_theta is inf"));
}

TEST(LlamaShape, is_refused_by_the_member_that_differs) {
  const LlamaShape shape{48, 100, 4, 2, 3, 97, false, 1e-6, 10000};
  const auto message = [&](const std::function<void(LlamaShape&)>& change) {
    LlamaShape found = shape;
    change(found);
    return message_of<InputError>([&] { require_shape("a.h5", found, shape); });
  };
  EXPECT_EQ(message([](LlamaShape&) {}), "no exception");
  EXPECT_EQ(message([](LlamaShape& s) { s.hidden_size = 64; }), "a.h5: has model.hidden_size = 64, not 48");
  EXPECT_EQ(message([](LlamaShape& s) { s.intermediate_size = 8; }), "a.h5: has model.intermediate_size = 8, not 100");
  EXPECT_EQ(message([](LlamaShape& s) { s.num_heads = 2; }), "a.h5: has model.num_heads = 2, not 4");
  EXPECT_EQ(message([](LlamaShape& s) { s.num_key_value_heads = 4; }),
            "a.h5: has model.num_key_value_heads = 4, not 2");
  EXPECT_EQ(message([](LlamaShape& s) { s.num_layers = 2; }), "a.h5: has model.num_layers = 2, not 3");
  EXPECT_EQ(message([](LlamaShape& s) { s.vocab_size = 96; }), "a.h5: has model.vocab_size = 96, not 97");
  EXPECT_EQ(message([](LlamaShape& s) { s.tie_embeddings = true; }),
            "a.h5: has model.tie_embeddings = true, not false");
  EXPECT_EQ(message([](LlamaShape& s) { s.rms_norm_eps = 1e-5; }), "a.h5: has model.rms_norm_eps = 1e-05, not 1e-06");
  EXPECT_EQ(message([](LlamaShape& s) { s.rope_theta = 5e5; }), "a.h5: has model.rope_theta = 500000, not 10000");
  EXPECT_THAT(message([](LlamaShape& s) {
                s.rope_scaling = {RotaryScaling::Kind::linear, 2};
              }),
              HasSubstr("a.h5: has model.rope_scaling = "));
}

}  // namespace
}  // namespace Sward::Test
