#include <gtest/gtest.h>

#include "Sward_Fnv1a.hpp"

namespace Sward::Test {
namespace {

// Values of the draft's own test vectors.
static_assert(fnv1a("") == 0xcbf29ce484222325U);
static_assert(fnv1a("a") == 0xaf63dc4c8601ec8cU);
static_assert(fnv1a("foobar") == 0x85944171f73967e8U);

TEST(Fnv1a, GoesOnFromWhatCameBefore) {
  EXPECT_EQ(fnv1a("bar", fnv1a("foo")), fnv1a("foobar"));
  const std::uint32_t words[] = {0x6f6f66, 0};
  EXPECT_EQ(fnv1a(bytes_of(words, 2)), fnv1a(std::string_view("foo\0\0\0\0\0", 8)));  // on a little-endian machine
}

}  // namespace
}  // namespace Sward::Test
