#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "Sward_ParameterList.hpp"

namespace Sward::Test {
namespace {

TEST(ParameterList, has_the_names_order_and_shapes_of_hugging_face) {
  const LlamaShape shape{48, 100, 4, 2, 2, 97, false, 1e-6, 10000};
  const std::vector<ParameterInfo> list = list_parameters(shape);
  ASSERT_EQ(list.size(), 1U + 2 * 9 + 2);
  const auto expect = [&](std::size_t i, const std::string& name, std::int64_t rows, std::int64_t columns,
                          ParameterKind kind, int layer) {
    EXPECT_EQ(list[i].name, name);
    EXPECT_EQ(list[i].rows, rows) << name;
    EXPECT_EQ(list[i].columns, columns) << name;
    EXPECT_EQ(list[i].size(), rows * columns) << name;
    EXPECT_EQ(list[i].kind, kind) << name;
    EXPECT_EQ(list[i].layer, layer) << name;
  };
  expect(0, "model.embed_tokens.weight", 97, 48, ParameterKind::embedding, -1);
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    const std::size_t first = 1 + 9 * static_cast<std::size_t>(layer);
    expect(first, prefix + "self_attn.q_proj.weight", 48, 48, ParameterKind::attention, layer);
    expect(first + 1, prefix + "self_attn.k_proj.weight", 24, 48, ParameterKind::attention, layer);
    expect(first + 2, prefix + "self_attn.v_proj.weight", 24, 48, ParameterKind::attention, layer);
    expect(first + 3, prefix + "self_attn.o_proj.weight", 48, 48, ParameterKind::attention, layer);
    expect(first + 4, prefix + "mlp.gate_proj.weight", 100, 48, ParameterKind::mlp, layer);
    expect(first + 5, prefix + "mlp.up_proj.weight", 100, 48, ParameterKind::mlp, layer);
    expect(first + 6, prefix + "mlp.down_proj.weight", 48, 100, ParameterKind::mlp, layer);
    expect(first + 7, prefix + "input_layernorm.weight", 1, 48, ParameterKind::norm, layer);
    expect(first + 8, prefix + "post_attention_layernorm.weight", 1, 48, ParameterKind::norm, layer);
  }
  expect(19, "model.norm.weight", 1, 48, ParameterKind::norm, -1);
  expect(20, "lm_head.weight", 97, 48, ParameterKind::head, -1);
}

TEST(ParameterList, has_no_head_where_embeddings_are_tied) {
  const LlamaShape shape{48, 100, 4, 4, 1, 97, true, 1e-6, 10000};
  EXPECT_EQ(list_parameters(shape).back().name, "model.norm.weight");
}

}  // namespace
}  // namespace Sward::Test
