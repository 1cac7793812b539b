#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <string>

#include "Sward_FuzzTargets.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Fuzz {

void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

namespace {

using Inputs = std::map<std::string, std::string>;

/// The files of tests/fuzz/KIND/TARGET, by name, so that their order is the same everywhere.
Inputs inputs_of(const std::string& kind, const Target& target) {
  Inputs inputs;
  const std::filesystem::path folder = std::filesystem::path(SWARD_FUZZ_DIR) / kind / target.name;
  if (!std::filesystem::is_directory(folder)) return inputs;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    inputs[entry.path().filename().string()] = Sward::Test::read_file(entry.path());
  return inputs;
}

/// A few changes as libFuzzer makes them: a byte or a bit changed, bytes removed, doubled, or taken from another input.
std::string changed(std::string bytes, const std::string& other, std::mt19937& engine) {
  const auto below = [&](std::size_t bound) { return engine() % std::max<std::size_t>(bound, 1); };
  for (std::size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
    const std::size_t place = below(bytes.size());
    const std::size_t length = 1 + below(16);
    switch (below(5)) {
      case 0:
        bytes[place] = static_cast<char>(engine());
        break;
      case 1:
        bytes[place] = static_cast<char>(bytes[place] ^ (1 << below(8)));
        break;
      case 2:
        bytes.erase(place, length);
        break;
      case 3:
        bytes.insert(place, bytes.substr(place, length));
        break;
      default:
        bytes.insert(place, other.substr(below(other.size()), length));
    }
  }
  return bytes;
}

class Corpus : public ::testing::TestWithParam<Target> {};

TEST_P(Corpus, is_read_or_refused) {
  std::size_t read = 0;
  const Inputs corpus = inputs_of("corpus", GetParam());
  for (const auto& [name, bytes] : corpus) EXPECT_NO_THROW(read += GetParam().read(bytes) ? 1 : 0) << name;
  EXPECT_GE(read, 5U);
  EXPECT_GE(corpus.size() - read, 2U);
}

TEST_P(Corpus, past_failures_are_read_or_refused) {
  for (const auto& [name, bytes] : inputs_of("failures", GetParam())) EXPECT_NO_THROW(GetParam().read(bytes)) << name;
}

TEST_P(Corpus, random_changes_are_read_or_refused) {
  std::vector<std::string> inputs;
  for (const auto& [name, bytes] : inputs_of("corpus", GetParam())) inputs.push_back(bytes);
  ASSERT_FALSE(inputs.empty());
  std::mt19937 engine(31);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::string& first = inputs[engine() % inputs.size()];
    const std::string bytes = changed(first, inputs[engine() % inputs.size()], engine);
    const std::string kept = std::string("fuzz-") + GetParam().name;
    ASSERT_NO_THROW(refused += GetParam().read(bytes) ? 0 : 1) << "round " << round << ", written to " << kept << [&] {
      Sward::Test::write_file(kept, bytes);
      return "";
    }();
  }
  EXPECT_GT(refused, 1000);
}

INSTANTIATE_TEST_SUITE_P(Targets, Corpus, ::testing::ValuesIn(targets),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace Sward::Fuzz
