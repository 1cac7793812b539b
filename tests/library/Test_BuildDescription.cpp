#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "Sward_BuildDescription.hpp"
#include "Sward_Version.hpp"

namespace {

using namespace Sward;

std::vector<std::string> lines() {
  std::istringstream text(build_description());
  std::vector<std::string> found;
  for (std::string line; std::getline(text, line);) found.push_back(line);
  return found;
}

TEST(BuildDescription, HasALineForEachFact) {
  const std::vector<std::string> found = lines();
  ASSERT_EQ(found.size(), 7U);
  EXPECT_EQ(found[0], std::string("Sward ") + version);
  const char* const names[] = {"commit", "build type", "compiler", "flags", "Kokkos", "options"};
  for (int i = 0; i < 6; ++i) {
    const std::string& line = found[i + 1];
    EXPECT_EQ(line.substr(0, line.find("  ")), names[i]);
    EXPECT_EQ(line.find('@'), std::string::npos) << line;
  }
}

TEST(BuildDescription, NamesTheCommitWithAllItsDigits) {
  const std::string commit = lines().at(1).substr(12);
  EXPECT_TRUE(commit == "unknown" || commit.find_first_not_of("0123456789abcdef") >= 40) << commit;
}

TEST(BuildDescription, NamesTheBackends) {
  const std::string kokkos = lines().at(5);
  EXPECT_NE(kokkos.find(std::string(" ") + Kokkos::DefaultExecutionSpace::name()), std::string::npos) << kokkos;
  EXPECT_NE(kokkos.find(std::string(" ") + Kokkos::DefaultHostExecutionSpace::name()), std::string::npos) << kokkos;
}

TEST(BuildDescription, TellsTheOptionsSoThatTheyCanBeSetAgain) {
  const std::string options = lines().at(6);
  EXPECT_NE(options.find(" SWARD_ENABLE_LIBRARY=ON"), std::string::npos) << options;
  EXPECT_NE(options.find(" SWARD_ENABLE_CUDA="), std::string::npos) << options;
}

}  // namespace
