#include <gtest/gtest.h>

#include <string>

#include "Sward_Version.hpp"

namespace {

TEST(Version, TextAndMacrosAgree) {
  EXPECT_EQ(Sward::version, std::to_string(SWARD_VERSION_MAJOR) + "." + std::to_string(SWARD_VERSION_MINOR) + "." +
                                std::to_string(SWARD_VERSION_PATCH));
}

}  // namespace
