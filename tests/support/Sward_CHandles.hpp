#pragma once

#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <type_traits>

#include "Sward_RandomViews.hpp"
#include "sward.h"

namespace Sward::Test {

/// An instance of the C interface.
class CInstance {
 public:
  CInstance() { EXPECT_EQ(sward_instance_create(nullptr, &handle_), SWARD_SUCCESS) << sward_last_error(); }
  ~CInstance() { EXPECT_EQ(sward_instance_destroy(handle_), SWARD_SUCCESS) << sward_last_error(); }
  CInstance(const CInstance&) = delete;
  CInstance& operator=(const CInstance&) = delete;

  operator sward_instance*() const { return handle_; }

 private:
  sward_instance* handle_ = nullptr;
};

/// A view as the C interface takes it.
template <class View>
sward_matrix c_matrix(const View& view) {
  using T = typename View::non_const_value_type;
  constexpr sward_type type = std::is_same_v<T, float>    ? SWARD_FLOAT32
                              : std::is_same_v<T, double> ? SWARD_FLOAT64
                                                          : SWARD_BFLOAT16;
  return {const_cast<T*>(view.data()), static_cast<std::int64_t>(view.extent(0)),
          static_cast<std::int64_t>(view.extent(1)), static_cast<std::int64_t>(view.stride(0)), type};
}

/// A status, and a part of the text.
inline ::testing::AssertionResult fails(sward_status status, sward_status wanted, const std::string& part) {
  const std::string text = sward_last_error();
  if (status == wanted && text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << sward_status_name(status) << " with '" << text << "', wanted "
                                       << sward_status_name(wanted) << " with '" << part << "'";
}

}  // namespace Sward::Test
