#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "Sward_DividedText.hpp"
#include "Sward_MemorySource.hpp"

namespace Sward::Test {
namespace {

struct Stretch {
  std::string text;
  std::uint64_t line;
  bool operator==(const Stretch&) const = default;
};

/// The stretches by the definition: split, count, and leave out an empty one at the end.
std::vector<Stretch> split(const std::string& text, const std::string& separator) {
  std::vector<Stretch> list;
  std::size_t begin = 0;
  std::size_t counted = 0;
  std::uint64_t line = 1;
  const auto add = [&](std::size_t end) {
    for (; counted < begin; ++counted) line += text[counted] == '\n' ? 1 : 0;
    list.push_back({text.substr(begin, end - begin), line});
  };
  while (!separator.empty()) {
    const std::size_t end = text.find(separator, begin);
    if (end == std::string::npos) break;
    add(end);
    begin = end + separator.size();
  }
  if (begin < text.size()) add(text.size());
  return list;
}

std::vector<Stretch> read(const std::string& text, const std::string& separator) {
  DividedText divided(std::make_unique<MemorySource>(text, 300'000), separator);
  std::vector<Stretch> list;
  bool begins = true;
  for (Fragment fragment; divided.next(fragment);) {
    EXPECT_LT(fragment.text.size(), 3U << 20);
    EXPECT_EQ(fragment.ends_text && fragment.ends, fragment.ends_text);
    if (begins) list.push_back({"", fragment.line});
    list.back().text += fragment.text;
    begins = fragment.ends;
  }
  EXPECT_TRUE(begins);
  Fragment fragment;
  EXPECT_FALSE(divided.next(fragment));
  return list;
}

TEST(DividedText, divides_as_defined) {
  for (const std::string text : {"", "\n", "a", "a\n", "a\n\nb", "\na\nb\n", "aab", "abab", "<>a<><>b<"}) {
    for (const std::string separator : {"", "\n", "ab", "<>", "a\n"}) {
      EXPECT_EQ(read(text, separator), split(text, separator)) << text << " at " << separator;
    }
  }
}

TEST(DividedText, finds_separators_across_blocks) {
  // A block is 1 MiB: separators before, across and after its end, and a stretch longer than several blocks.
  const std::string separator = "<|end|>";
  for (std::size_t length = (1 << 20) - 9; length < (1 << 20) + 3; ++length) {
    const std::string text = std::string(length, 'a') + separator + "b" + separator + std::string(5 << 20, 'c');
    EXPECT_EQ(read(text, separator), split(text, separator)) << length;
  }
}

TEST(DividedText, divides_random_text_of_several_blocks) {
  std::mt19937 engine(11);
  for (const std::string separator : {"\n", "<|end|>", "\n\n"}) {
    std::string text;
    while (text.size() < (5U << 20)) {
      text.append(engine() % (engine() % 20 == 0 ? 2'500'000 : 3000), "abc<|\n"[engine() % 6]);
      text += separator.substr(0, engine() % (separator.size() + 1));
      if (engine() % 3 == 0) text += separator;
    }
    EXPECT_EQ(read(text, separator), split(text, separator)) << separator;
  }
  EXPECT_EQ(read(std::string(4'000'000, '\n'), ""), split(std::string(4'000'000, '\n'), ""));
}

}  // namespace
}  // namespace Sward::Test
