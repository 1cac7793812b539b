#include <gtest/gtest.h>

#include <thread>

#include "Sward_CHandles.hpp"

// What no call should be given: it has a status and a text that names it, and nothing is touched.

namespace Sward::Test {
namespace {

constexpr std::int64_t m = 8, n = 6, r = 3, tokens = 4;

/// Operands that are accepted, each of which a test spoils.
struct Operands {
  CInstance instance;
  double values[m * n] = {}, norms[m] = {}, compressed[r * n] = {}, dy[tokens * m] = {}, x[tokens * n] = {};
  double first[r * n] = {}, second[r * n] = {}, gathered[tokens * r] = {};
  alignas(8) unsigned char keys[m * 12] = {};
  int rows[r] = {1, 2, 5};
  float scale[r] = {1, 1, 1};
  sward_matrix v{values, m, n, n, SWARD_FLOAT64}, c{compressed, r, n, n, SWARD_FLOAT64};
  sward_matrix y{dy, tokens, m, m, SWARD_FLOAT64}, inputs{x, tokens, n, n, SWARD_FLOAT64};
  sward_matrix v1{first, r, n, n, SWARD_FLOAT64}, v2{second, r, n, n, SWARD_FLOAT64};
  sward_selection selection{rows, scale, r, m, SWARD_ROWS};
  sward_draw draw{1, 2, 3};
  sward_adam_step step{0.9, 0.99, 1e-8, 1, 1.0};

  sward_status norms_of(const sward_matrix* matrix) { return sward_row_norms(instance, matrix, SWARD_ROWS, norms, m); }
  sward_status select() { return sward_select_top_rows(instance, norms, keys, sizeof keys, &selection); }
  sward_status sample(sward_scheme scheme) {
    return sward_sample_rows(instance, scheme, norms, &draw, keys, sizeof keys, &selection);
  }
  sward_status product(std::size_t bytes) {
    return sward_project_product(instance, &selection, &y, &inputs, gathered, bytes, 0.0, &c);
  }
  sward_status update() { return sward_grass_update(instance, &selection, &step, 0.1, 0.0, nullptr, &c, &v1, &v2, &v); }
};

#define REFUSED(call, part) EXPECT_TRUE(fails(call, SWARD_INVALID_ARGUMENT, part))

TEST(CMisuse, OfMatrices) {
  Operands o;
  ASSERT_EQ(o.norms_of(&o.v), SWARD_SUCCESS);
  REFUSED(o.norms_of(nullptr), "values is NULL");
  sward_matrix bad = o.v;
  bad.rows = -1;
  REFUSED(o.norms_of(&bad), "-1 rows");
  bad = o.v;
  bad.columns = -4;
  REFUSED(o.norms_of(&bad), "-4 columns");
  bad = o.v;
  bad.rows = std::int64_t{1} << 31;
  REFUSED(o.norms_of(&bad), "2147483648 rows");
  bad = o.v;
  bad.columns = bad.stride = std::int64_t{1} << 40;
  REFUSED(o.norms_of(&bad), "1099511627776 columns");
  bad = o.v;
  bad.stride = std::int64_t{1} << 31;
  REFUSED(o.norms_of(&bad), "a stride of 2147483648");
  bad = o.v;
  bad.stride = n - 1;
  REFUSED(o.norms_of(&bad), "a stride of 5");
  bad = o.v;
  bad.data = nullptr;
  REFUSED(o.norms_of(&bad), "values is NULL");
  bad.data = reinterpret_cast<unsigned char*>(o.values) + 4;
  REFUSED(o.norms_of(&bad), "not aligned");
  for (const int type : {0, 4, 6, 7, -1, 1 << 30}) {
    bad = o.v;
    bad.type = static_cast<sward_type>(type);
    REFUSED(o.norms_of(&bad), "type of values");
  }
  // Nothing at all is no misuse.
  const sward_matrix empty{nullptr, 0, n, n, SWARD_FLOAT32};
  EXPECT_EQ(sward_row_norms(o.instance, &empty, SWARD_ROWS, nullptr, 0), SWARD_SUCCESS) << sward_last_error();
}

TEST(CMisuse, OfListsAndSides) {
  Operands o;
  REFUSED(sward_row_norms(nullptr, &o.v, SWARD_ROWS, o.norms, m), "instance is NULL");
  REFUSED(sward_row_norms(o.instance, &o.v, static_cast<sward_side>(2), o.norms, m), "side");
  REFUSED(sward_row_norms(o.instance, &o.v, SWARD_ROWS, nullptr, m), "norms is NULL");
  REFUSED(sward_row_norms(o.instance, &o.v, SWARD_ROWS, o.norms, -1), "norms is -1");
  EXPECT_TRUE(fails(sward_row_norms(o.instance, &o.v, SWARD_COLUMNS, o.norms, m), SWARD_EXTENT_MISMATCH,
                    "extents (8), wanted (6)"));
  REFUSED(sward_matrix_product(o.instance, static_cast<sward_transpose>(2), SWARD_TRANSPOSE, 1, &o.v, &o.v, 0, &o.v),
          "transpose");
  REFUSED(sward_matrix_product(o.instance, SWARD_TRANSPOSE, SWARD_TRANSPOSE, 1, &o.v, nullptr, 0, &o.v), "B is NULL");
  sward_matrix other = o.v;
  other.type = SWARD_FLOAT32;
  REFUSED(sward_matrix_product(o.instance, SWARD_TRANSPOSE, SWARD_TRANSPOSE, 1, &o.v, &o.v, 0, &other),
          "type of C is SWARD_FLOAT32, wanted SWARD_FLOAT64");
  EXPECT_TRUE(fails(sward_matrix_product(o.instance, SWARD_NO_TRANSPOSE, SWARD_NO_TRANSPOSE, 1, &o.v, &o.v, 0, &o.v),
                    SWARD_EXTENT_MISMATCH, "op(B)"));
}

TEST(CMisuse, OfSelections) {
  Operands o;
  ASSERT_EQ(o.select(), SWARD_SUCCESS);
  REFUSED(sward_select_top_rows(o.instance, o.norms, o.keys, sizeof o.keys, nullptr), "selection is NULL");
  REFUSED(sward_select_top_rows(o.instance, nullptr, o.keys, sizeof o.keys, &o.selection), "norms is NULL");
  REFUSED(sward_select_top_rows(o.instance, o.norms, nullptr, sizeof o.keys, &o.selection), "workspace is NULL");
  REFUSED(sward_select_top_rows(o.instance, o.norms, o.keys + 1, sizeof o.keys, &o.selection), "not aligned");
  REFUSED(sward_select_top_rows(o.instance, o.norms, o.keys, sizeof o.keys - 1, &o.selection), "95 bytes, wanted 96");
  const auto spoiled = [&](auto spoil) {
    const sward_selection good = o.selection;
    spoil(o.selection);
    const sward_status status = o.select();
    o.selection = good;
    return status;
  };
  REFUSED(spoiled([](auto& s) { s.rows = nullptr; }), "selection.rows is NULL");
  REFUSED(spoiled([](auto& s) { s.scale = nullptr; }), "selection.scale is NULL");
  REFUSED(spoiled([](auto& s) { s.count = 0; }), "selection.count is 0");
  REFUSED(spoiled([](auto& s) { s.count = -3; }), "selection.count is -3");
  REFUSED(spoiled([](auto& s) { s.count = m + 1; }), "rank is 9");
  REFUSED(spoiled([](auto& s) { s.extent = 0; }), "selection.extent is 0");
  REFUSED(spoiled([](auto& s) { s.extent = std::int64_t{1} << 32; }), "selection.extent is 4294967296");
  REFUSED(spoiled([](auto& s) { s.side = static_cast<sward_side>(-1); }), "side");
  EXPECT_EQ(sward_selection_workspace_bytes(-5), 0U);

  ASSERT_EQ(o.sample(SWARD_NORM), SWARD_SUCCESS);
  REFUSED(o.sample(SWARD_TOP_R), "top_r");
  REFUSED(o.sample(static_cast<sward_scheme>(7)), "scheme is 7");
  REFUSED(o.sample(static_cast<sward_scheme>(-1)), "scheme is -1");
  o.draw.step = std::uint64_t{1} << 48U;
  REFUSED(o.sample(SWARD_NORM), "draw.step");
  REFUSED(sward_sample_rows(o.instance, SWARD_NORM, o.norms, nullptr, o.keys, sizeof o.keys, &o.selection), "draw");
}

TEST(CMisuse, OfProductsAndUpdates) {
  Operands o;
  ASSERT_EQ(o.product(sizeof o.gathered), SWARD_SUCCESS);
  REFUSED(o.product(sizeof o.gathered - 1), "95 bytes, wanted 96");
  EXPECT_EQ(sward_project_product_workspace_bytes(-1, 2, SWARD_FLOAT32), 0U);
  EXPECT_EQ(sward_project_product_workspace_bytes(2, 2, SWARD_INT32), 0U);
  o.y.type = SWARD_FLOAT32;
  REFUSED(o.product(sizeof o.gathered), "type of input is SWARD_FLOAT64, wanted SWARD_FLOAT32");
  o.y.type = SWARD_FLOAT64;
  o.y.columns = m - 1;
  EXPECT_TRUE(fails(o.product(sizeof o.gathered), SWARD_EXTENT_MISMATCH, "extents (7), wanted (8)"));
  REFUSED(sward_project_rows(o.instance, &o.selection, nullptr, &o.c), "values is NULL");
  REFUSED(sward_project_rows(o.instance, &o.selection, &o.v, nullptr), "compressed is NULL");

  ASSERT_EQ(o.update(), SWARD_SUCCESS) << sward_last_error();
  o.step.count = 0;
  REFUSED(o.update(), "count is 0");
  o.step.count = 1;
  o.v2.type = SWARD_BFLOAT16;
  REFUSED(o.update(), "type of second_moment");
  o.v2.type = SWARD_FLOAT64;
  o.v1.columns = o.v1.stride = n - 1;
  EXPECT_TRUE(fails(o.update(), SWARD_EXTENT_MISMATCH, "first_moment has extents (3, 5), wanted (3, 6)"));
  o.v1.columns = o.v1.stride = n;
  o.c.type = o.v1.type = o.v2.type = SWARD_FLOAT32;
  o.v.type = SWARD_BFLOAT16;
  REFUSED(o.update(), "rounding is NULL");
}

class CMisuseOfOptimizers : public ::testing::Test {
 protected:
  CMisuseOfOptimizers() { sward_optimizer_options_default(&options); }
  ~CMisuseOfOptimizers() override { EXPECT_EQ(sward_optimizer_destroy(optimizer), SWARD_SUCCESS); }

  sward_status create() {
    return sward_optimizer_create(o.instance, list, 2, tokens, &options, given_group, &optimizer);
  }
  void expect_refusal(const std::string& part) {
    REFUSED(create(), part);
    EXPECT_EQ(optimizer, nullptr);
  }

  Operands o;
  double bias[n] = {};
  sward_trained_matrix list[2] = {{"w", o.v, 1, 1, 0}, {"b", {bias, 1, n, n, SWARD_FLOAT64}, 0, 0, 0}};
  sward_optimizer_options options;
  sward_group group{0, 2, nullptr, nullptr};
  const sward_group* given_group = nullptr;
  sward_optimizer* optimizer = nullptr;
};

TEST_F(CMisuseOfOptimizers, InTheirMaking) {
  expect_refusal("grass.rank is 0");
  options.rank = 2;
  const sward_optimizer_options good = options;
  options.scheme = static_cast<sward_scheme>(9);
  expect_refusal("scheme is 9");
  options = good;
  options.side = static_cast<sward_side_rule>(3);
  expect_refusal("options.side is 3");
  options = good;
  options.state = static_cast<sward_state_type>(-1);
  expect_refusal("options.state is -1");
  options = good;
  options.beta1 = 1.0;
  expect_refusal("adam.beta1");
  options = good;
  given_group = &group;
  expect_refusal("group.add_up is NULL");
  group.rank = 2;
  expect_refusal("group.rank is 2");
  group.size = 0;
  expect_refusal("group.size is 0");
  given_group = nullptr;

  list[1].name = nullptr;
  expect_refusal("name of matrix 1 is NULL");
  list[1].name = "";
  expect_refusal("no name");
  list[1].name = "w";
  expect_refusal("two matrices");
  list[1].name = "b";
  list[1].message = -1;
  expect_refusal("negative");
  list[1].message = 0;
  list[1].weight.type = SWARD_FLOAT32;
  expect_refusal("type of b");
  list[1].weight.type = SWARD_FLOAT64;
  list[0].weight.rows = 0;
  expect_refusal("no elements");
  list[0].weight.rows = m;

  const auto create_of = [&](std::int64_t count, std::int64_t most_tokens) {
    return sward_optimizer_create(o.instance, list, count, most_tokens, &options, nullptr, &optimizer);
  };
  REFUSED(create_of(0, tokens), "count is 0");
  REFUSED(create_of(-1, tokens), "count is -1");
  REFUSED(create_of(2, 0), "tokens is 0");
  REFUSED(sward_optimizer_create(nullptr, list, 2, tokens, &options, nullptr, &optimizer), "instance is NULL");
  REFUSED(sward_optimizer_create(o.instance, nullptr, 2, tokens, &options, nullptr, &optimizer), "matrices is NULL");
  REFUSED(sward_optimizer_create(o.instance, list, 2, tokens, nullptr, nullptr, &optimizer), "options is NULL");
  REFUSED(sward_optimizer_create(o.instance, list, 2, tokens, &options, nullptr, nullptr), "optimizer is NULL");
  REFUSED(sward_optimizer_options_default(nullptr), "options is NULL");
#ifndef __SANITIZE_ADDRESS__  // which ends the process
  // Moments beyond any address space; the weight itself is not touched before there is memory for them.
  constexpr std::int64_t large = std::int64_t{1} << 22;
  options.rank = large;
  list[0].weight.rows = list[0].weight.columns = list[0].weight.stride = large;
  EXPECT_TRUE(fails(create(), SWARD_OUT_OF_MEMORY, "allocate"));
  EXPECT_EQ(optimizer, nullptr);
#endif
}

TEST_F(CMisuseOfOptimizers, InTheirCalls) {
  options.rank = 2;
  ASSERT_EQ(create(), SWARD_SUCCESS) << sward_last_error();
  REFUSED(sward_optimizer_update(optimizer), "no begin_update");
  REFUSED(sward_optimizer_accept_factors(optimizer, 0, &o.y, &o.inputs), "than begin_update announced");
  REFUSED(sward_optimizer_begin_update(optimizer, o.instance, 0.1, 0), "0 passes");
  REFUSED(sward_optimizer_begin_update(optimizer, nullptr, 0.1, 1), "instance is NULL");
  ASSERT_EQ(sward_optimizer_begin_update(optimizer, o.instance, 0.1, 1), SWARD_SUCCESS);
  REFUSED(sward_optimizer_accept_factors(optimizer, 2, &o.y, &o.inputs), "no matrix 2");
  REFUSED(sward_optimizer_accept_factors(optimizer, -1, &o.y, &o.inputs), "no matrix -1");
  REFUSED(sward_optimizer_accept_factors(optimizer, 0, nullptr, &o.inputs), "output_gradient is NULL");
  REFUSED(sward_optimizer_accept_factors(optimizer, 0, &o.y, nullptr), "input is NULL");
  sward_matrix narrow = o.y;
  narrow.columns = m - 1;
  EXPECT_TRUE(fails(sward_optimizer_accept_factors(optimizer, 0, &narrow, &o.inputs), SWARD_EXTENT_MISMATCH,
                    "output_gradient has extents (4, 7), wanted (4, 8)"));
  narrow = o.inputs;
  narrow.columns = n - 1;
  EXPECT_TRUE(fails(sward_optimizer_accept_factors(optimizer, 0, &o.y, &narrow), SWARD_EXTENT_MISMATCH,
                    "input has extents (5), wanted (6)"));
  narrow = o.inputs;
  narrow.rows = tokens - 1;
  EXPECT_TRUE(fails(sward_optimizer_accept_factors(optimizer, 0, &o.y, &narrow), SWARD_EXTENT_MISMATCH, "(4, 8)"));
  std::vector<double> more((tokens + 1) * m);
  const sward_matrix long_y{more.data(), tokens + 1, m, m, SWARD_FLOAT64};
  const sward_matrix long_x{more.data(), tokens + 1, n, n, SWARD_FLOAT64};
  REFUSED(sward_optimizer_accept_factors(optimizer, 0, &long_y, &long_x), "5 tokens, wanted 4 at most");
  EXPECT_TRUE(
      fails(sward_optimizer_accept_gradient(optimizer, 0, &o.c), SWARD_EXTENT_MISMATCH, "(3, 6), wanted (8, 6)"));
  REFUSED(sward_optimizer_accept_gradient(optimizer, 0, nullptr), "gradient is NULL");
  REFUSED(sward_optimizer_update(optimizer), "1 gradients of 'w' are missing");

  std::int64_t number = 0;
  sward_state_array array;
  REFUSED(sward_optimizer_state_array(optimizer, -1, &array), "number is -1");
  ASSERT_EQ(sward_optimizer_state_count(optimizer, &number), SWARD_SUCCESS);
  REFUSED(sward_optimizer_state_array(optimizer, number, &array), "number is");
  REFUSED(sward_optimizer_state_array(optimizer, 0, nullptr), "array is NULL");
  REFUSED(sward_optimizer_state_count(optimizer, nullptr), "count is NULL");
  REFUSED(sward_optimizer_updates(optimizer, nullptr), "updates is NULL");
  REFUSED(sward_optimizer_memory_bytes(optimizer, nullptr), "bytes is NULL");
  REFUSED(sward_optimizer_message_bytes(optimizer, 0, nullptr), "bytes is NULL");
  REFUSED(sward_optimizer_selection(optimizer, 0, nullptr), "selection is NULL");
  REFUSED(sward_optimizer_gradient_norm(optimizer, nullptr, nullptr), "norm is NULL");
}

TEST_F(CMisuseOfOptimizers, ThatAreNull) {
  std::int64_t number = 0;
  std::size_t bytes = 0;
  double norm = 0;
  sward_selection selection;
  sward_state_array array;
  REFUSED(sward_optimizer_begin_update(nullptr, o.instance, 0.1, 1), "optimizer is NULL");
  REFUSED(sward_optimizer_accept_factors(nullptr, 0, &o.y, &o.inputs), "optimizer is NULL");
  REFUSED(sward_optimizer_accept_gradient(nullptr, 0, &o.v), "optimizer is NULL");
  REFUSED(sward_optimizer_update(nullptr), "optimizer is NULL");
  REFUSED(sward_optimizer_gradient_norm(nullptr, &norm, nullptr), "optimizer is NULL");
  REFUSED(sward_optimizer_updates(nullptr, &number), "optimizer is NULL");
  REFUSED(sward_optimizer_memory_bytes(nullptr, &bytes), "optimizer is NULL");
  REFUSED(sward_optimizer_message_bytes(nullptr, 0, &bytes), "optimizer is NULL");
  REFUSED(sward_optimizer_selection(nullptr, 0, &selection), "optimizer is NULL");
  REFUSED(sward_optimizer_state_count(nullptr, &number), "optimizer is NULL");
  REFUSED(sward_optimizer_state_array(nullptr, 0, &array), "optimizer is NULL");
  REFUSED(sward_optimizer_check_state(nullptr), "optimizer is NULL");
  REFUSED(sward_instance_create(nullptr, nullptr), "instance is NULL");
  REFUSED(sward_instance_fence(nullptr), "instance is NULL");
  EXPECT_EQ(sward_instance_destroy(nullptr), SWARD_SUCCESS);
  EXPECT_EQ(sward_optimizer_destroy(nullptr), SWARD_SUCCESS);
}

TEST(CLibrary, LeavesKokkosToItsOwner) {
  EXPECT_EQ(sward_initialize(), SWARD_SUCCESS);
  EXPECT_EQ(sward_finalize(), SWARD_SUCCESS);
  EXPECT_TRUE(Kokkos::is_initialized());
  EXPECT_TRUE(fails(sward_finalize(), SWARD_NOT_INITIALIZED, "no sward_initialize"));
}

TEST(CLibrary, HasTextsOfEachThread) {
  EXPECT_TRUE(fails(sward_instance_fence(nullptr), SWARD_INVALID_ARGUMENT, "sward_instance_fence"));
  std::thread([] {
    EXPECT_STREQ(sward_last_error(), "");
    EXPECT_TRUE(fails(sward_optimizer_update(nullptr), SWARD_INVALID_ARGUMENT, "sward_optimizer_update"));
  }).join();
  EXPECT_TRUE(fails(SWARD_INVALID_ARGUMENT, SWARD_INVALID_ARGUMENT, "sward_instance_fence"));
}

TEST(CLibrary, NamesVersionAndStatuses) {
  int version[3] = {-1, -1, -1};
  sward_version(&version[0], &version[1], &version[2]);
  sward_version(nullptr, nullptr, nullptr);
  EXPECT_EQ(version[0], SWARD_VERSION_MAJOR);
  EXPECT_EQ(version[1], SWARD_VERSION_MINOR);
  EXPECT_EQ(version[2], SWARD_VERSION_PATCH);
  EXPECT_STREQ(sward_status_name(SWARD_SUCCESS), "SWARD_SUCCESS");
  EXPECT_STREQ(sward_status_name(SWARD_INVALID_ARGUMENT), "SWARD_INVALID_ARGUMENT");
  EXPECT_STREQ(sward_status_name(SWARD_EXTENT_MISMATCH), "SWARD_EXTENT_MISMATCH");
  EXPECT_STREQ(sward_status_name(SWARD_OUT_OF_MEMORY), "SWARD_OUT_OF_MEMORY");
  EXPECT_STREQ(sward_status_name(SWARD_NOT_INITIALIZED), "SWARD_NOT_INITIALIZED");
  EXPECT_STREQ(sward_status_name(SWARD_COMMUNICATION), "SWARD_COMMUNICATION");
  EXPECT_STREQ(sward_status_name(SWARD_INTERNAL), "SWARD_INTERNAL");
  EXPECT_STREQ(sward_status_name(static_cast<sward_status>(77)), "unknown status");
}

}  // namespace
}  // namespace Sward::Test
