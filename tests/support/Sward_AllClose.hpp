#pragma once

#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iomanip>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "Sward_RandomViews.hpp"

namespace Sward::Test {

/// One element outside the tolerance.
struct Offender {
  std::vector<std::size_t> index;
  double actual;
  double expected;
  double excess;  ///< the error in units of what is tolerated there
};

/// The error at one element in units of the tolerance; infinite where a number is not a number.
inline double excess_error(double actual, double expected, double relative, double absolute) {
  if (actual == expected) return 0.0;
  const double error = std::abs(actual - expected);
  if (!std::isfinite(error)) return std::numeric_limits<double>::infinity();
  return error / (absolute + relative * std::abs(expected));
}

inline std::string index_text(const std::vector<std::size_t>& index) {
  std::ostringstream text;
  for (std::size_t k = 0; k < index.size(); ++k) text << (k == 0 ? "(" : ", ") << index[k];
  text << ")";
  return text.str();
}

inline ::testing::AssertionResult report(std::vector<Offender> offenders, std::size_t elements) {
  if (offenders.empty()) return ::testing::AssertionSuccess();
  std::stable_sort(offenders.begin(), offenders.end(),
                   [](const Offender& a, const Offender& b) { return a.excess > b.excess; });
  auto failure = ::testing::AssertionFailure();
  failure << offenders.size() << " of " << elements << " elements differ; the worst:" << std::setprecision(17);
  for (std::size_t i = 0; i < std::min<std::size_t>(5, offenders.size()); ++i)
    failure << "\n  " << index_text(offenders[i].index) << ": got " << offenders[i].actual << ", expected "
            << offenders[i].expected << ", " << std::setprecision(4) << offenders[i].excess << " x the tolerance"
            << std::setprecision(17);
  return failure;
}

/// True when |actual - expected| <= absolute + relative |expected| everywhere; otherwise names the worst offenders.
/// Vectors or matrices, on any space; a NaN on either side is a difference.
template <class Actual, class Expected>
::testing::AssertionResult all_close(const Actual& actual, const Expected& expected, double relative, double absolute) {
  static_assert(Actual::rank() == Expected::rank() && (Actual::rank() == 1 || Actual::rank() == 2));
  const auto got = to_host(actual);
  const auto wanted = to_host(expected);
  if (got.extent(0) != wanted.extent(0) || got.extent(1) != wanted.extent(1))
    return ::testing::AssertionFailure() << "extents (" << got.extent(0) << ", " << got.extent(1) << ") against ("
                                         << wanted.extent(0) << ", " << wanted.extent(1) << ")";
  std::vector<Offender> offenders;
  for_each_element(got, [&](auto... at) {
    const auto a = static_cast<double>(got(at...));
    const auto e = static_cast<double>(wanted(at...));
    const double excess = excess_error(a, e, relative, absolute);
    if (!(excess <= 1.0)) offenders.push_back({{at...}, a, e, excess});
  });
  return report(std::move(offenders), got.size());
}

}  // namespace Sward::Test
