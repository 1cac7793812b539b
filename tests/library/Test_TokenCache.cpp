#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "Sward_TokenCache.hpp"

namespace Sward::Test {
namespace {

TEST(TokenCache, gives_back_what_it_kept_or_nothing) {
  TokenCache cache;
  std::map<std::string, std::vector<std::uint32_t>> all;
  std::mt19937 engine(23);
  std::size_t found = 0;
  for (int i = 0; i < 400'000; ++i) {
    // Short and long ones, zeros at their ends among them.
    std::string text(1 + engine() % TokenCache::longest_text, '\0');
    for (char& letter : text) letter = static_cast<char>(engine() % 3);
    std::vector<std::uint32_t> tokens(1 + engine() % TokenCache::most_tokens);
    for (std::uint32_t& token : tokens) token = static_cast<std::uint32_t>(engine());
    const std::span<const std::uint32_t> kept = cache.find(text);
    if (!kept.empty()) {
      ++found;
      ASSERT_EQ(std::vector<std::uint32_t>(kept.begin(), kept.end()), all.at(text));
    }
    all[text] = tokens;
    cache.keep(text, tokens);
    const std::span<const std::uint32_t> now = cache.find(text);
    ASSERT_EQ(std::vector<std::uint32_t>(now.begin(), now.end()), tokens);
  }
  EXPECT_GT(found, 1000U);
}

TEST(TokenCache, leaves_out_what_is_too_long) {
  TokenCache cache;
  const std::string text(TokenCache::longest_text, 'a');
  cache.keep(text + "a", std::vector<std::uint32_t>{1});
  EXPECT_TRUE(cache.find(text).empty());
  cache.keep(text, std::vector<std::uint32_t>(TokenCache::most_tokens + 1));
  EXPECT_TRUE(cache.find(text).empty());
  cache.keep(text, std::vector<std::uint32_t>(TokenCache::most_tokens, 5));
  EXPECT_EQ(cache.find(text).size(), TokenCache::most_tokens);
}

}  // namespace
}  // namespace Sward::Test
