#include <gtest/gtest.h>

#include <cstring>

#include "Sward_CHandles.hpp"
#include "Sward_CallerGroup.hpp"
#include "Sward_GrassOptimizer.hpp"

// The optimizer through the C interface next to GrassOptimizer, to the same bits.

namespace Sward::Test {
namespace {

using Space = Kokkos::DefaultExecutionSpace;

constexpr std::size_t tokens = 6;

#define SWARD_OK(call) ASSERT_EQ(call, SWARD_SUCCESS) << sward_last_error()

/// A wide and a tall matrix, one that is not projected, and a vector; the tall one lies in wider rows.
template <class T>
class Weights {
 public:
  Weights() {
    add("wide", 5, 8, true, true, 0);
    add("tall", 9, 4, true, false, 0);
    add("dense", 4, 6, false, true, 1);
    add("bias", 1, 7, false, false, 1);
  }

  const std::vector<TrainedMatrix<T>>& list() const { return list_; }

  std::vector<sward_trained_matrix> c_list() const {
    std::vector<sward_trained_matrix> c;
    for (const TrainedMatrix<T>& x : list_)
      c.push_back({x.name.c_str(), c_matrix(x.weight), x.is_projected, x.decays, x.message});
    return c;
  }

  void expect_same_bits(const Weights& other) const {
    for (std::size_t k = 0; k < list_.size(); ++k) {
      const auto left = to_host(memory_[k]);
      const auto right = to_host(other.memory_[k]);
      EXPECT_EQ(std::memcmp(left.data(), right.data(), left.size() * sizeof(T)), 0) << list_[k].name;
    }
  }

 private:
  void add(const std::string& name, std::size_t rows, std::size_t columns, bool projected, bool decays, int message) {
    const std::size_t padding = name == "tall" ? 3 : 0;
    memory_.push_back(random_matrix<T, Space>(rows, columns + padding, rows));
    const typename TrainedMatrix<T>::View weight =
        Kokkos::subview(memory_.back(), Kokkos::ALL, std::pair<std::size_t, std::size_t>(0, columns));
    list_.push_back({name, weight, projected, decays, message});
  }

  std::vector<Matrix<T, Space>> memory_;
  std::vector<TrainedMatrix<T>> list_;
};

GrassOptimizerOptions options() {
  GrassOptimizerOptions given;
  given.grass.rank = 3;
  given.grass.selection = Selection::norm_squared;
  given.grass.refresh_interval = 3;
  given.grass.refresh_warmup = 2;
  given.grass.scale = 0.5;
  given.grass.side = GrassConstants::SideRule::columns;
  given.grass.seed = 11;
  given.adam = {0.8, 0.95, 1e-6, 0.1, StateType::bfloat16};
  given.clip = 0.75;
  given.seed = 12;
  return given;
}

sward_optimizer_options c_options() {
  sward_optimizer_options given;
  EXPECT_EQ(sward_optimizer_options_default(&given), SWARD_SUCCESS);
  given.rank = 3;
  given.scheme = SWARD_NORM_SQUARED;
  given.refresh_interval = 3;
  given.refresh_warmup = 2;
  given.scale = 0.5;
  given.side = SWARD_COLUMNS_SIDE;
  given.selection_seed = 11;
  given.beta1 = 0.8;
  given.beta2 = 0.95;
  given.epsilon = 1e-6;
  given.weight_decay = 0.1;
  given.state = SWARD_STATE_BFLOAT16;
  given.clip = 0.75;
  given.rounding_seed = 12;
  return given;
}

template <class T>
sward_optimizer* create(const CInstance& instance, const Weights<T>& weights, const sward_group* group = nullptr) {
  const auto list = weights.c_list();
  const sward_optimizer_options given = c_options();
  sward_optimizer* optimizer = nullptr;
  EXPECT_EQ(sward_optimizer_create(instance, list.data(), static_cast<std::int64_t>(list.size()), tokens, &given, group,
                                   &optimizer),
            SWARD_SUCCESS)
      << sward_last_error();
  return optimizer;
}

/// Two passes of factors, or in every second update the whole gradient.
template <class T>
void update(GrassOptimizer<T>& optimizer, const Weights<T>& weights, unsigned number) {
  const int passes = number % 2 == 0 ? 2 : 1;
  optimizer.begin_update(Space(), 0.1, passes);
  for (int k = 0; k < static_cast<int>(weights.list().size()); ++k) {
    const auto& weight = weights.list()[static_cast<std::size_t>(k)].weight;
    const unsigned seed = 10 * number + static_cast<unsigned>(k);
    if (passes == 1)
      optimizer.accept_gradient(k, random_matrix<Real<T>, Space>(weight.extent(0), weight.extent(1), seed));
    for (unsigned pass = 0; passes == 2 && pass < 2; ++pass)
      optimizer.accept_factors(k, random_matrix<T, Space>(tokens, weight.extent(0), seed + 100 * pass),
                               random_matrix<T, Space>(tokens, weight.extent(1), seed + 200));
  }
  optimizer.update();
  Space().fence();
}

template <class T>
void update(sward_optimizer* optimizer, const CInstance& instance, const Weights<T>& weights, unsigned number) {
  const int passes = number % 2 == 0 ? 2 : 1;
  SWARD_OK(sward_optimizer_begin_update(optimizer, instance, 0.1, passes));
  for (int k = 0; k < static_cast<int>(weights.list().size()); ++k) {
    const auto& weight = weights.list()[static_cast<std::size_t>(k)].weight;
    const unsigned seed = 10 * number + static_cast<unsigned>(k);
    if (passes == 1) {
      const auto gradient = random_matrix<Real<T>, Space>(weight.extent(0), weight.extent(1), seed);
      const sward_matrix g = c_matrix(gradient);
      SWARD_OK(sward_optimizer_accept_gradient(optimizer, k, &g));
    }
    for (unsigned pass = 0; passes == 2 && pass < 2; ++pass) {
      const auto output_gradient = random_matrix<T, Space>(tokens, weight.extent(0), seed + 100 * pass);
      const auto input = random_matrix<T, Space>(tokens, weight.extent(1), seed + 200);
      const sward_matrix y = c_matrix(output_gradient);
      const sward_matrix x = c_matrix(input);
      SWARD_OK(sward_optimizer_accept_factors(optimizer, k, &y, &x));
    }
  }
  SWARD_OK(sward_optimizer_update(optimizer));
  SWARD_OK(sward_instance_fence(instance));
}

template <class T>
void expect_same_state(GrassOptimizer<T>& optimizer, sward_optimizer* handle) {
  const std::vector<StateArray> arrays = optimizer.state();
  std::int64_t count = 0;
  SWARD_OK(sward_optimizer_state_count(handle, &count));
  ASSERT_EQ(count, static_cast<std::int64_t>(arrays.size()));
  std::size_t host_arrays = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const StateArray& wanted = arrays[static_cast<std::size_t>(i)];
    sward_state_array got;
    SWARD_OK(sward_optimizer_state_array(handle, i, &got));
    EXPECT_EQ(got.name, wanted.name);
    EXPECT_EQ(got.rows, static_cast<std::int64_t>(wanted.rows)) << got.name;
    EXPECT_EQ(got.columns, static_cast<std::int64_t>(wanted.columns)) << got.name;
    EXPECT_EQ(got.stride, static_cast<std::int64_t>(wanted.stride)) << got.name;
    EXPECT_EQ(got.on_host, wanted.on_host ? 1 : 0) << got.name;
    host_arrays += wanted.on_host;
    const auto is = [&](sward_type c_type, StateArray::Type type) { return got.type == c_type && wanted.type == type; };
    const bool has_type = is(SWARD_INT32, StateArray::Type::int32) || is(SWARD_INT64, StateArray::Type::int64) ||
                          is(SWARD_FLOAT32, StateArray::Type::float32) ||
                          is(SWARD_FLOAT64, StateArray::Type::float64) ||
                          is(SWARD_BFLOAT16, StateArray::Type::bfloat16) || is(SWARD_UINT8, StateArray::Type::uint8);
    EXPECT_TRUE(has_type) << got.name;
    const std::size_t size = got.type == SWARD_INT64 || got.type == SWARD_FLOAT64 ? 8
                             : got.type == SWARD_BFLOAT16                         ? 2
                                                                                  : 4;
    for (std::size_t row = 0; row < wanted.rows; ++row)
      EXPECT_EQ(std::memcmp(static_cast<std::byte*>(got.data) + row * wanted.stride * size,
                            static_cast<std::byte*>(wanted.data) + row * wanted.stride * size, wanted.columns * size),
                0)
          << got.name;
  }
  EXPECT_GT(host_arrays, 0U);
}

template <class T>
class COptimizer : public ::testing::Test {};
using Types = ::testing::Types<float, double, BFloat16>;
TYPED_TEST_SUITE(COptimizer, Types);

TYPED_TEST(COptimizer, HasTheBitsOfGrassOptimizer) {
  const CInstance instance;
  const Weights<TypeParam> weights;
  const Weights<TypeParam> c_weights;
  GrassOptimizer<TypeParam> optimizer(Space(), weights.list(), tokens, options());
  sward_optimizer* const handle = create(instance, c_weights);
  ASSERT_NE(handle, nullptr);
  for (unsigned number = 0; number < 7; ++number) {
    update(optimizer, weights, number);
    update(handle, instance, c_weights, number);
    weights.expect_same_bits(c_weights);
    expect_same_state(optimizer, handle);
  }
  std::int64_t updates = 0;
  std::size_t bytes = 0;
  SWARD_OK(sward_optimizer_updates(handle, &updates));
  EXPECT_EQ(updates, 7);
  SWARD_OK(sward_optimizer_memory_bytes(handle, &bytes));
  EXPECT_EQ(bytes, optimizer.memory_bytes());
  for (const bool refresh : {false, true}) {
    SWARD_OK(sward_optimizer_message_bytes(handle, refresh, &bytes));
    EXPECT_EQ(bytes, optimizer.message_bytes(refresh));
  }
  sward_selection selection;
  SWARD_OK(sward_optimizer_selection(handle, 1, &selection));
  const RowSelection<Space>& wanted = optimizer.selection(1);
  EXPECT_EQ(selection.count, wanted.rank());
  EXPECT_EQ(selection.extent, wanted.extent);
  EXPECT_EQ(selection.side, SWARD_COLUMNS);
  EXPECT_EQ(selection.rows[1], wanted.rows(1));
  EXPECT_EQ(selection.scale[1], wanted.scale(1));
  EXPECT_TRUE(fails(sward_optimizer_selection(handle, 2, &selection), SWARD_INVALID_ARGUMENT, "not projected"));
  SWARD_OK(sward_optimizer_check_state(handle));
  selection.rows[0] = static_cast<int>(selection.extent);
  EXPECT_TRUE(fails(sward_optimizer_check_state(handle), SWARD_INVALID_ARGUMENT, "tall/rows"));
  SWARD_OK(sward_optimizer_destroy(handle));
}

TEST(COptimizerNorm, NamesWhatIsNotFinite) {
  const CInstance instance;
  const Weights<float> weights;
  GrassOptimizer<float> optimizer(Space(), weights.list(), tokens, options());
  sward_optimizer* const handle = create(instance, weights);
  SWARD_OK(sward_optimizer_begin_update(handle, instance, 0.1, 1));
  optimizer.begin_update(Space(), 0.1);
  for (int k = 0; k < 4; ++k) {
    const auto& weight = weights.list()[static_cast<std::size_t>(k)].weight;
    const auto gradient = random_matrix<float, Space>(weight.extent(0), weight.extent(1), 3);
    const sward_matrix g = c_matrix(gradient);
    optimizer.accept_gradient(k, gradient);
    if (k == 2) gradient(3, 5) = std::numeric_limits<float>::infinity();
    SWARD_OK(sward_optimizer_accept_gradient(handle, k, &g));
  }
  double norm = 0;
  const char* name = nullptr;
  SWARD_OK(sward_optimizer_gradient_norm(handle, &norm, &name));
  EXPECT_STREQ(name, "dense");
  SWARD_OK(sward_optimizer_destroy(handle));
  EXPECT_GT(optimizer.gradient_norm().norm, 0.0);
}

/// A second rank with the same gradients, as both interfaces call it.
struct SecondRank {
  std::vector<std::string> names;
  int code = 0;
};

int add_second_rank(void* context, void* stream, void* data, std::size_t count, sward_type type, const char* what) {
  auto& second = *static_cast<SecondRank*>(context);
  second.names.emplace_back(what);
  EXPECT_EQ(stream, nullptr);
  EXPECT_EQ(type, SWARD_FLOAT64);
  auto* const values = static_cast<double*>(data);
  const bool are_numbers = second.names.back() == "a number of each rank";
  for (std::size_t i = 0; i < count; ++i) {
    if (!are_numbers) values[i] *= 2;
    if (are_numbers && i >= count / 2) values[i] = values[i - count / 2];
  }
  return second.code;
}

TEST(COptimizerGroup, HasTheBitsOfCallerGroup) {
  const CInstance instance;
  const Weights<double> weights;
  const Weights<double> c_weights;
  SecondRank second;
  SecondRank c_second;
  CallerGroup callers(0, 2, [&](const Space&, const CallerMessage& message) {
    add_second_rank(&second, nullptr, message.data, message.count, SWARD_FLOAT64, message.what);
  });
  GrassOptimizer<double> optimizer(Space(), weights.list(), tokens, options(), &callers);
  const sward_group group{0, 2, add_second_rank, &c_second};
  sward_optimizer* const handle = create(instance, c_weights, &group);
  for (unsigned number = 0; number < 5; ++number) {
    update(optimizer, weights, number);
    update(handle, instance, c_weights, number);
    weights.expect_same_bits(c_weights);
  }
  EXPECT_EQ(second.names, c_second.names);
  EXPECT_GT(second.names.size(), 10U);

  c_second.code = 5;
  const auto gradient = random_matrix<double, Space>(5, 8, 1);
  const sward_matrix g = c_matrix(gradient);
  const auto tall = random_matrix<double, Space>(9, 4, 1);
  const sward_matrix t = c_matrix(tall);
  SWARD_OK(sward_optimizer_begin_update(handle, instance, 0.1, 1));
  SWARD_OK(sward_optimizer_accept_gradient(handle, 0, &g));
  EXPECT_TRUE(fails(sward_optimizer_accept_gradient(handle, 1, &t), SWARD_COMMUNICATION, "add_up returned 5"));
  weights.expect_same_bits(c_weights);
  c_second.code = 0;
  update(optimizer, weights, 5);
  update(handle, instance, c_weights, 5);
  weights.expect_same_bits(c_weights);
  SWARD_OK(sward_optimizer_destroy(handle));
}

}  // namespace
}  // namespace Sward::Test
