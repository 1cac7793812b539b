#include <gtest/gtest.h>

#include "Sward_AllClose.hpp"
#include "Sward_Attention.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_ReferenceAttention.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class Attention : public ::testing::Test {};
TYPED_TEST_SUITE(Attention, TestSpaces);

template <class Scalar, class Space>
struct Operands {
  AttentionShape shape;
  Matrix<Scalar, Space> query, key, value, output;
  Matrix<Real<Scalar>, Space> logsumexp;

  explicit Operands(const AttentionShape& s, double range = 2)
      : shape(s),
        query(random_matrix<Scalar, Space>(rows(), columns(s.heads), 1, -range, range)),
        key(random_matrix<Scalar, Space>(rows(), columns(s.key_value_heads), 2, -range, range)),
        value(random_matrix<Scalar, Space>(rows(), columns(s.key_value_heads), 3)),
        output(poisoned_matrix<Scalar, Space>(rows(), columns(s.heads))),
        logsumexp(poisoned_matrix<Real<Scalar>, Space>(rows(), static_cast<std::size_t>(s.heads))) {}

  void forward() const { attention(Space(), shape, query, key, value, output, logsumexp); }

  std::size_t rows() const { return static_cast<std::size_t>(shape.tokens()); }
  std::size_t columns(int heads) const { return static_cast<std::size_t>(heads * shape.head_size); }
};

template <class Scalar, class Space>
void agrees_with_definition(const AttentionShape& shape, double tolerance) {
  const Operands<Scalar, Space> operands(shape);
  operands.forward();
  const ReferenceAttention reference(shape, to_double(to_host(operands.query)), to_double(to_host(operands.key)),
                                     to_double(to_host(operands.value)));
  EXPECT_TRUE(all_close(operands.output, reference.output, tolerance, tolerance));
  EXPECT_TRUE(all_close(operands.logsumexp, reference.logsumexp, tolerance, tolerance));
}

TYPED_TEST(Attention, AgreesWithDefinition) {
  for (const AttentionShape& shape :
       {AttentionShape{1, 1, 1, 1, 1}, AttentionShape{3, 1, 2, 2, 4}, AttentionShape{2, 5, 2, 1, 7},
        AttentionShape{2, 33, 4, 2, 12}, AttentionShape{1, 64, 2, 2, 64}, AttentionShape{1, 97, 6, 2, 80},
        AttentionShape{1, 70, 3, 1, 160}}) {
    SCOPED_TRACE("length " + std::to_string(shape.length) + ", head size " + std::to_string(shape.head_size));
    agrees_with_definition<double, TypeParam>(shape, 1e-13);
    // Scores are sums of head_size products below 4, scaled: a few 1e-7 each, and weights follow them.
    agrees_with_definition<float, TypeParam>(shape, 5e-6);
  }
}

template <class Space>
void agrees_with_definition_in_bfloat16(const AttentionShape& shape, int document) {
  const Operands<BFloat16, Space> o(shape);
  const std::vector<int> first_keys = random_first_keys(shape, document, 8);
  attention(Space(), shape, to_device_list<Space>(first_keys), o.query, o.key, o.value, o.output, o.logsumexp);
  const ReferenceAttention reference(shape, to_double(to_host(o.query)), to_double(to_host(o.key)),
                                     to_double(to_host(o.value)), first_keys);
  // The sums as in float; then the result is rounded, by up to 2^-8 of itself.
  EXPECT_TRUE(all_close(o.output, reference.output, 0x1p-8, 5e-6));
  EXPECT_TRUE(all_close(o.logsumexp, reference.logsumexp, 5e-6, 5e-6));
}

// With first keys: whole sequences may be a vendor's on some spaces.
TYPED_TEST(Attention, AgreesWithDefinitionInBFloat16) {
  for (const AttentionShape& shape :
       {AttentionShape{1, 1, 1, 1, 1}, AttentionShape{2, 5, 2, 1, 7}, AttentionShape{2, 33, 4, 2, 12},
        AttentionShape{1, 64, 2, 2, 64}, AttentionShape{1, 97, 6, 2, 80}})
    for (const int document : {1000, 9}) {
      SCOPED_TRACE("length " + std::to_string(shape.length) + ", documents of " + std::to_string(document));
      agrees_with_definition_in_bfloat16<TypeParam>(shape, document);
    }
}

TYPED_TEST(Attention, DocumentsDoNotSeeEachOther) {
  for (const AttentionShape& shape : {AttentionShape{2, 5, 2, 1, 7}, AttentionShape{2, 97, 4, 2, 16}})
    for (const int mean : {2, 9, 40}) {
      SCOPED_TRACE("length " + std::to_string(shape.length) + ", documents of " + std::to_string(mean));
      const Operands<double, TypeParam> o(shape);
      const std::vector<int> first_keys = random_first_keys(shape, mean, 8);
      attention(TypeParam(), shape, to_device_list<TypeParam>(first_keys), o.query, o.key, o.value, o.output,
                o.logsumexp);
      const ReferenceAttention reference(shape, to_double(to_host(o.query)), to_double(to_host(o.key)),
                                         to_double(to_host(o.value)), first_keys);
      EXPECT_TRUE(all_close(o.output, reference.output, 1e-13, 1e-13));
      EXPECT_TRUE(all_close(o.logsumexp, reference.logsumexp, 1e-13, 1e-13));
    }
}

TYPED_TEST(Attention, LargeScoresStayFinite) {
  const Operands<float, TypeParam> operands({1, 80, 1, 1, 16}, 60);
  operands.forward();
  const auto output = to_host(operands.output);
  for (std::size_t i = 0; i < output.size(); ++i) ASSERT_LE(std::abs(output.data()[i]), 1.000001f);
}

TYPED_TEST(Attention, FutureTokensDoNotMatter) {
  const AttentionShape shape{1, 50, 2, 2, 16};
  const Operands<float, TypeParam> before(shape), after(shape);
  before.forward();
  Kokkos::deep_copy(Kokkos::subview(after.key, std::pair(40, 50), Kokkos::ALL), 100.0f);
  Kokkos::deep_copy(Kokkos::subview(after.value, std::pair(40, 50), Kokkos::ALL), 100.0f);
  after.forward();
  const auto early = [](const auto& view) { return Kokkos::subview(to_host(view), std::pair(0, 40), Kokkos::ALL); };
  EXPECT_TRUE(all_close(early(after.output), early(before.output), 0, 0));
}

TYPED_TEST(Attention, HasTheSameBitsOnAllHosts) {
  if (!runs_on_host<TypeParam>) GTEST_SKIP() << "GPUs add in another, also fixed, order";
  const AttentionShape shape{2, 100, 4, 2, 24};
  const Operands<float, TypeParam> here(shape);
  const Operands<float, Kokkos::Serial> serial(shape);
  here.forward();
  serial.forward();
  EXPECT_TRUE(all_close(here.output, serial.output, 0, 0));
}

TYPED_TEST(Attention, RefusesExtentsThatDoNotFit) {
  const Operands<float, TypeParam> o({2, 5, 2, 2, 4});
  const Matrix<float, TypeParam> other("other", 10, 9);
  EXPECT_THROW(attention(TypeParam(), o.shape, other, o.key, o.value, o.output, o.logsumexp), ExtentError);
  EXPECT_THROW(attention(TypeParam(), o.shape, o.query, other, o.value, o.output, o.logsumexp), ExtentError);
  EXPECT_THROW(attention(TypeParam(), o.shape, o.query, o.key, o.value, o.output, other), ExtentError);
  const auto few = to_device_list<TypeParam>({0, 0});
  EXPECT_THROW(attention(TypeParam(), o.shape, few, o.query, o.key, o.value, o.output, o.logsumexp), ExtentError);
}

}  // namespace
