#include <gtest/gtest.h>

#include <string>

#include "Sward_HashDocument.hpp"

namespace Sward::Test {
namespace {

TEST(hash_document, spreads_short_texts_evenly) {
  int below = 0;
  for (int i = 0; i < 100'000; ++i) {
    if (hash_document(std::to_string(i)) >> 56 < 26) ++below;
  }
  // 26 of 256: mean 10,156, deviation 95.
  EXPECT_NEAR(below, 10'156, 6 * 95);
}

TEST(hash_document, does_not_change_between_versions) {
  // An evaluation split made again has to be the same split.
  EXPECT_EQ(hash_document(""), 17665956581633026203U);
  EXPECT_EQ(hash_document("sward"), 8477494086538952354U);
  EXPECT_NE(hash_document("\x80"), hash_document("\x7f"));
}

}  // namespace
}  // namespace Sward::Test
