#include <gtest/gtest.h>

#include <limits>

#include "Sward_Format.hpp"

namespace Sward::Test {
namespace {

TEST(bytes_text, chooses_the_unit_by_powers_of_1024) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.00 KiB");
  EXPECT_EQ(bytes_text(1536), "1.50 KiB");
  EXPECT_EQ(bytes_text(std::uint64_t{1} << 20), "1.00 MiB");
  EXPECT_EQ(bytes_text(std::uint64_t{3} << 29), "1.50 GiB");
  EXPECT_EQ(bytes_text((std::uint64_t{5} << 40) + (std::uint64_t{1} << 38)), "5.25 TiB");
  EXPECT_EQ(bytes_text(std::uint64_t{7} << 50), "7.00 PiB");
}

TEST(bytes_text, has_no_unit_beyond_the_largest) {
  EXPECT_EQ(bytes_text(std::numeric_limits<std::uint64_t>::max()), "16384.00 PiB");
}

TEST(duration_text, has_hours_only_from_an_hour_on) {
  EXPECT_EQ(duration_text(0.0), "0:00");
  EXPECT_EQ(duration_text(9.0), "0:09");
  EXPECT_EQ(duration_text(123.0), "2:03");
  EXPECT_EQ(duration_text(3599.0), "59:59");
  EXPECT_EQ(duration_text(3600.0), "1:00:00");
  EXPECT_EQ(duration_text(3723.0), "1:02:03");
  EXPECT_EQ(duration_text(100.0 * 3600.0 + 59.0), "100:00:59");
}

TEST(duration_text, rounds_before_it_divides) {
  EXPECT_EQ(duration_text(59.4), "0:59");
  EXPECT_EQ(duration_text(59.6), "1:00");
  EXPECT_EQ(duration_text(3599.7), "1:00:00");
}

}  // namespace
}  // namespace Sward::Test
