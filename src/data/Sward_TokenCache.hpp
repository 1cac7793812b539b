#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace Sward {

/// The tokens of short texts met lately. Of fixed size: a text takes the place of another one with the same hash.
class TokenCache {
 public:
  static constexpr std::size_t longest_text = 34;
  static constexpr std::size_t most_tokens = 7;

  TokenCache() : entries_(std::size_t{1} << entries_log2) {}

  /// The tokens kept for a text of at most `longest_text` bytes; empty where there are none.
  std::span<const std::uint32_t> find(std::string_view text) const {
    const Entry& entry = entries_[place(text)];
    if (entry.size != text.size() || std::memcmp(entry.text.data(), text.data(), text.size()) != 0) return {};
    return {entry.tokens.data(), entry.count};
  }

  /// Keeps the tokens of a text, of any length; what is too long is left out.
  void keep(std::string_view text, std::span<const std::uint32_t> tokens) {
    if (text.size() > longest_text || tokens.size() > most_tokens) return;
    Entry& entry = entries_[place(text)];
    std::memcpy(entry.text.data(), text.data(), text.size());
    entry.size = static_cast<std::uint8_t>(text.size());
    entry.count = static_cast<std::uint8_t>(tokens.size());
    std::memcpy(entry.tokens.data(), tokens.data(), tokens.size_bytes());
  }

 private:
  /// One cache line.
  struct alignas(64) Entry {
    std::array<std::uint32_t, most_tokens> tokens{};
    std::array<char, longest_text> text{};
    std::uint8_t size = 0;
    std::uint8_t count = 0;
  };
  static_assert(sizeof(Entry) == 64);

  /// The upper bits of a product mix well; the text is taken in words of eight bytes, the last one filled with zeros.
  static std::size_t place(std::string_view text) {
    std::uint64_t hash = text.size();
    while (!text.empty()) {
      std::uint64_t word = 0;
      const std::size_t count = text.size() < sizeof word ? text.size() : sizeof word;
      std::memcpy(&word, text.data(), count);
      text.remove_prefix(count);
      hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
      hash ^= hash >> 32;
    }
    return hash * 0xd6e8feb86659fd93U >> (64 - entries_log2);
  }

  static constexpr unsigned entries_log2 = 17;
  std::vector<Entry> entries_;
};

}  // namespace Sward
