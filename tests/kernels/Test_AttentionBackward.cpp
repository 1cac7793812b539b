#include <gtest/gtest.h>

#include "Sward_AllClose.hpp"
#include "Sward_Attention.hpp"
#include "Sward_AttentionBackward.hpp"
#include "Sward_CentralDifferences.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_ReferenceAttention.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class AttentionBackward : public ::testing::Test {};
TYPED_TEST_SUITE(AttentionBackward, TestSpaces);

template <class Scalar, class Space>
struct Problem {
  AttentionShape shape;
  Matrix<Scalar, Space> query, key, value, output, above;
  Matrix<Real<Scalar>, Space> logsumexp, delta;
  Matrix<Scalar, Space> query_gradient, key_gradient, value_gradient;

  explicit Problem(const AttentionShape& s)
      : shape(s),
        query(random_matrix<Scalar, Space>(rows(), columns(s.heads), 1, -2, 2)),
        key(random_matrix<Scalar, Space>(rows(), columns(s.key_value_heads), 2, -2, 2)),
        value(random_matrix<Scalar, Space>(rows(), columns(s.key_value_heads), 3)),
        output(poisoned_matrix<Scalar, Space>(rows(), columns(s.heads))),
        above(random_matrix<Scalar, Space>(rows(), columns(s.heads), 4)),
        logsumexp(poisoned_matrix<Real<Scalar>, Space>(rows(), static_cast<std::size_t>(s.heads))),
        delta(poisoned_matrix<Real<Scalar>, Space>(rows(), static_cast<std::size_t>(s.heads))),
        query_gradient(poisoned_matrix<Scalar, Space>(rows(), columns(s.heads))),
        key_gradient(poisoned_matrix<Scalar, Space>(rows(), columns(s.key_value_heads))),
        value_gradient(poisoned_matrix<Scalar, Space>(rows(), columns(s.key_value_heads))) {}

  void forward() const { attention(Space(), shape, query, key, value, output, logsumexp); }
  void backward() const {
    attention_backward(Space(), shape, query, key, value, output, logsumexp, above, delta, query_gradient, key_gradient,
                       value_gradient);
  }

  std::size_t rows() const { return static_cast<std::size_t>(shape.tokens()); }
  std::size_t columns(int heads) const { return static_cast<std::size_t>(heads * shape.head_size); }
};

TYPED_TEST(AttentionBackward, IsTheGradient) {
  for (const AttentionShape& shape :
       {AttentionShape{2, 1, 1, 1, 3}, AttentionShape{2, 5, 4, 2, 4}, AttentionShape{1, 35, 2, 1, 3}}) {
    SCOPED_TRACE("length " + std::to_string(shape.length));
    const Problem<double, TypeParam> problem(shape);
    problem.forward();
    problem.backward();
    const auto loss = [&] {
      problem.forward();
      return weighted_sum(problem.output, problem.above);
    };
    EXPECT_TRUE(all_close(problem.query_gradient, central_differences(problem.query, loss), 1e-7, 1e-7));
    EXPECT_TRUE(all_close(problem.key_gradient, central_differences(problem.key, loss), 1e-7, 1e-7));
    EXPECT_TRUE(all_close(problem.value_gradient, central_differences(problem.value, loss), 1e-7, 1e-7));
  }
}

template <class Scalar, class Space>
void agrees_with_definition(const AttentionShape& shape, double tolerance) {
  const Problem<Scalar, Space> problem(shape);
  problem.forward();
  problem.backward();
  const ReferenceAttention reference(shape, to_double(to_host(problem.query)), to_double(to_host(problem.key)),
                                     to_double(to_host(problem.value)));
  const auto expected = reference.backward(to_double(to_host(problem.above)));
  EXPECT_TRUE(all_close(problem.query_gradient, expected.query, tolerance, tolerance));
  EXPECT_TRUE(all_close(problem.key_gradient, expected.key, tolerance, tolerance));
  EXPECT_TRUE(all_close(problem.value_gradient, expected.value, tolerance, tolerance));
}

TYPED_TEST(AttentionBackward, AgreesWithDefinition) {
  for (const AttentionShape& shape :
       {AttentionShape{1, 1, 1, 1, 1}, AttentionShape{2, 5, 2, 1, 7}, AttentionShape{2, 33, 4, 2, 12},
        AttentionShape{1, 64, 2, 2, 64}, AttentionShape{1, 97, 6, 2, 80}, AttentionShape{1, 70, 3, 1, 160}}) {
    SCOPED_TRACE("length " + std::to_string(shape.length) + ", head size " + std::to_string(shape.head_size));
    agrees_with_definition<double, TypeParam>(shape, 1e-12);
    // Sums of up to 3 x 97 terms near 1, each off by the few 1e-7 of its weight.
    agrees_with_definition<float, TypeParam>(shape, 1e-5);
  }
}

template <class Space>
void agrees_with_definition_in_bfloat16(const AttentionShape& shape, int document) {
  const Problem<BFloat16, Space> p(shape);
  const std::vector<int> first_keys = random_first_keys(shape, document, 8);
  const auto list = to_device_list<Space>(first_keys);
  attention(Space(), shape, list, p.query, p.key, p.value, p.output, p.logsumexp);
  attention_backward(Space(), shape, list, p.query, p.key, p.value, p.output, p.logsumexp, p.above, p.delta,
                     p.query_gradient, p.key_gradient, p.value_gradient);
  ReferenceAttention reference(shape, to_double(to_host(p.query)), to_double(to_host(p.key)),
                               to_double(to_host(p.value)), first_keys);
  reference.output = to_double(to_host(p.output));
  const auto expected = reference.backward(to_double(to_host(p.above)));
  // The sums as in float; then each result is rounded once, by up to 2^-8 of itself.
  EXPECT_TRUE(all_close(p.query_gradient, expected.query, 0x1p-8, 1e-5));
  EXPECT_TRUE(all_close(p.key_gradient, expected.key, 0x1p-8, 1e-5));
  EXPECT_TRUE(all_close(p.value_gradient, expected.value, 0x1p-8, 1e-5));
}

// With first keys: whole sequences may be a vendor's on some spaces.
TYPED_TEST(AttentionBackward, AgreesWithDefinitionInBFloat16) {
  for (const AttentionShape& shape :
       {AttentionShape{1, 1, 1, 1, 1}, AttentionShape{2, 5, 2, 1, 7}, AttentionShape{2, 33, 4, 2, 12},
        AttentionShape{1, 64, 2, 2, 64}, AttentionShape{1, 97, 6, 2, 80}})
    for (const int document : {1000, 9}) {
      SCOPED_TRACE("length " + std::to_string(shape.length) + ", documents of " + std::to_string(document));
      agrees_with_definition_in_bfloat16<TypeParam>(shape, document);
    }
}

TYPED_TEST(AttentionBackward, DocumentsDoNotSeeEachOther) {
  for (const AttentionShape& shape : {AttentionShape{2, 5, 2, 1, 7}, AttentionShape{2, 97, 4, 2, 16}})
    for (const int mean : {2, 9, 40}) {
      SCOPED_TRACE("length " + std::to_string(shape.length) + ", documents of " + std::to_string(mean));
      const Problem<double, TypeParam> p(shape);
      const std::vector<int> first_keys = random_first_keys(shape, mean, 8);
      const auto list = to_device_list<TypeParam>(first_keys);
      attention(TypeParam(), shape, list, p.query, p.key, p.value, p.output, p.logsumexp);
      attention_backward(TypeParam(), shape, list, p.query, p.key, p.value, p.output, p.logsumexp, p.above, p.delta,
                         p.query_gradient, p.key_gradient, p.value_gradient);
      const ReferenceAttention reference(shape, to_double(to_host(p.query)), to_double(to_host(p.key)),
                                         to_double(to_host(p.value)), first_keys);
      const auto expected = reference.backward(to_double(to_host(p.above)));
      EXPECT_TRUE(all_close(p.query_gradient, expected.query, 1e-12, 1e-12));
      EXPECT_TRUE(all_close(p.key_gradient, expected.key, 1e-12, 1e-12));
      EXPECT_TRUE(all_close(p.value_gradient, expected.value, 1e-12, 1e-12));
    }
}

TYPED_TEST(AttentionBackward, HasTheSameBitsOnAllHosts) {
  if (!runs_on_host<TypeParam>) GTEST_SKIP() << "GPUs add in another, also fixed, order";
  const AttentionShape shape{2, 100, 4, 2, 24};
  const Problem<float, TypeParam> here(shape);
  const Problem<float, Kokkos::Serial> serial(shape);
  here.forward();
  here.backward();
  serial.forward();
  serial.backward();
  EXPECT_TRUE(all_close(here.query_gradient, serial.query_gradient, 0, 0));
  EXPECT_TRUE(all_close(here.key_gradient, serial.key_gradient, 0, 0));
  EXPECT_TRUE(all_close(here.value_gradient, serial.value_gradient, 0, 0));
}

TYPED_TEST(AttentionBackward, OfNoTokensIsNothing) {
  for (const AttentionShape& shape : {AttentionShape{2, 0, 2, 1, 8}, AttentionShape{0, 5, 2, 1, 8}}) {
    const Problem<float, TypeParam> p(shape);
    p.forward();
    p.backward();
    TypeParam().fence();
  }
}

TYPED_TEST(AttentionBackward, RefusesExtentsThatDoNotFit) {
  const Problem<float, TypeParam> p({2, 5, 2, 2, 4});
  const Matrix<float, TypeParam> other("other", 10, 9);
  EXPECT_THROW(attention_backward(TypeParam(), p.shape, p.query, p.key, p.value, p.output, p.logsumexp, p.above, other,
                                  p.query_gradient, p.key_gradient, p.value_gradient),
               ExtentError);
  EXPECT_THROW(attention_backward(TypeParam(), p.shape, p.query, p.key, p.value, p.output, p.logsumexp, p.above,
                                  p.delta, p.query_gradient, other, p.value_gradient),
               ExtentError);
}

}  // namespace
