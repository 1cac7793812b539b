#include <gtest/gtest.h>

#include "Sward_RunCommand.hpp"
#include "Sward_Version.hpp"

namespace Sward::Test {
namespace {

TEST(CommandLine, EveryProgramTellsItsVersion) {
  for (const char* name : {"sward-tokenize", "sward-train", "sward-evaluate", "sward-convert", "sward-plan"}) {
    const CommandResult result = run_command(program(name) + " --version");
    EXPECT_EQ(result.status, 0) << name;
    EXPECT_EQ(result.output.substr(0, result.output.find('\n')), std::string("Sward ") + version) << name;
    EXPECT_NE(result.output.find("\ncommit "), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace Sward::Test
