#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_set>

#include "Sward_SentencePieceModel.hpp"

namespace Sward {

/// Places in a text at which a BPE model without normalization surely begins a new piece: between two characters that
/// no piece of its vocabulary holds side by side. No merge ever crosses such a place, and a merge on one side of it has
/// no influence on the other, so the tokens of a text are those of its parts. Text is UTF-8; a space is the same as
/// U+2581, SentencePiece's mark for it.
class PieceBoundaries {
 public:
  explicit PieceBoundaries(const SentencePieceModel& model);

  /// The first place behind `start`, which is the start of a character; the text's size where there is none.
  std::size_t next(std::string_view text, std::size_t start) const;

  /// The last place in the text, 0 where there is none. The text may end inside a character.
  std::size_t last(std::string_view text) const;

  /// A character of one byte that no piece holds beside another one, so that there is a place on either side of it;
  /// 0 where there is none.
  char lone_character() const;

 private:
  bool may_join(char32_t left, char32_t right) const;
  void add_pairs(std::string_view piece);

  static constexpr std::size_t ascii = 128;
  std::array<bool, ascii * ascii> ascii_pairs_{};
  std::unordered_set<std::uint64_t> other_pairs_;
  std::array<bool, ascii> joined_{};
};

}  // namespace Sward
