#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "Sward_AgeSlots.hpp"
#include "Sward_CopyNumbers.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class AgeSlots : public ::testing::Test {};
TYPED_TEST_SUITE(AgeSlots, TestSpaces);

/// The factor of a slot whose moments have had t updates, in long double.
long double corrected(const AgeingRule& rule, long double scale, int t) {
  const long double ramp = rule.warmup == 0 ? 1 : std::min<long double>(1, t / static_cast<long double>(rule.warmup));
  return scale * ramp * std::sqrt(1 - std::pow(static_cast<long double>(rule.beta2), t)) /
         (1 - std::pow(static_cast<long double>(rule.beta1), t));
}

TYPED_TEST(AgeSlots, CorrectTheBiasOfEachSlotByItsOwnAge) {
  const std::vector<int> ages = {0, 1, 7, 19, 20, 400, 100000};
  for (const AgeingRule& rule : {AgeingRule{0.9, 0.999, 20}, AgeingRule{0.8, 0.95, 0}, AgeingRule{0.0, 0.0, 1}}) {
    const auto scale = random_vector<float, TypeParam>(ages.size(), 3, 0.5, 2.0);
    const auto device_ages = from_list<int, TypeParam>(ages);
    const auto factor = poisoned_vector<float, TypeParam>(ages.size());
    age_slots(TypeParam(), rule, scale, device_ages, factor);
    const auto scales = to_list(scale);
    const auto factors = to_list(factor);
    const auto older = to_list(device_ages);
    for (std::size_t s = 0; s < ages.size(); ++s) {
      EXPECT_EQ(older[s], ages[s] + 1);
      const auto expected = static_cast<double>(corrected(rule, scales[s], ages[s] + 1));
      // In double 1 - β2^t of a young slot loses ten bits; the result is rounded to float.
      EXPECT_NEAR(factors[s], expected, 0x1p-23 * expected) << "age " << older[s];
    }
  }
}

TYPED_TEST(AgeSlots, RefuseExtentsThatDiffer) {
  const Vector<float, TypeParam> three("three", 3), four("four", 4);
  const Vector<int, TypeParam> ages("ages", 3), more("more", 4);
  const AgeingRule rule{0.9, 0.999, 0};
  EXPECT_THROW(age_slots(TypeParam(), rule, three, more, three), ExtentError);
  EXPECT_THROW(age_slots(TypeParam(), rule, three, ages, four), ExtentError);
}

TYPED_TEST(AgeSlots, NumbersAreCopied) {
  const std::vector<int> numbers = {5, -1, 0, 1 << 30};
  const auto target = poisoned_vector<int, TypeParam>(numbers.size());
  copy_numbers(TypeParam(), from_list<int, TypeParam>(numbers), target);
  EXPECT_EQ(to_list(target), numbers);
  const Vector<int, TypeParam> three("three", 3);
  EXPECT_THROW(copy_numbers(TypeParam(), target, three), ExtentError);
}

}  // namespace
