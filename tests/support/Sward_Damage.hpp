#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {

/// A file that something happened to.
struct Damaged {
  std::string what;
  std::string bytes;
};

/// The file cut off at random places.
inline std::vector<Damaged> truncated(const std::string& bytes, int count, unsigned seed) {
  std::mt19937_64 engine(seed);
  std::vector<Damaged> files;
  for (int i = 0; i < count; ++i) {
    const std::size_t size = engine() % bytes.size();
    files.push_back({"cut to " + std::to_string(size) + " bytes", bytes.substr(0, size)});
  }
  return files;
}

/// The file with one random bit changed.
inline std::vector<Damaged> flipped(const std::string& bytes, int count, unsigned seed) {
  std::mt19937_64 engine(seed);
  std::vector<Damaged> files;
  for (int i = 0; i < count; ++i) {
    const std::size_t place = engine() % bytes.size();
    const unsigned bit = static_cast<unsigned>(engine() % 8);
    files.push_back({"bit " + std::to_string(bit) + " of byte " + std::to_string(place), bytes});
    files.back().bytes[place] = static_cast<char>(bytes[place] ^ (1 << bit));
  }
  return files;
}

/// Expects that `read(path)` of every damaged file gives `wanted`, or an InputError of one line naming the file.
/// Returns how many files were reported so.
template <class Read, class Content>
int count_reported(const std::vector<Damaged>& files, const Read& read, const Content& wanted) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "damaged.h5";
  int reported = 0;
  for (const Damaged& file : files) {
    write_file(path, file.bytes);
    try {
      EXPECT_TRUE(read(path) == wanted) << file.what << " changes what is read";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(path.string())) << file.what;
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      ++reported;
    }
  }
  return reported;
}

}  // namespace Sward::Test
