#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "Sward_ByteSource.hpp"

namespace Sward {

/// A stretch of text between two separators, or a fragment of a long one.
struct Fragment {
  std::string text;
  /// The line of its first byte, from 1.
  std::uint64_t line = 1;
  /// The last fragment between its separators.
  bool ends = false;
  /// It ends with the text, not at a separator.
  bool ends_text = false;
};

/// The text between the occurrences of a separator, in fragments of some MiB at most; all the text when the separator
/// is empty. Nothing behind the last separator is no stretch.
class DividedText {
 public:
  DividedText(std::unique_ptr<ByteSource> source, std::string separator);

  /// False at the end.
  bool next(Fragment& fragment);

 private:
  void fill();
  void take(std::size_t end, bool ends, Fragment& fragment);

  std::unique_ptr<ByteSource> source_;
  std::string separator_;
  std::uint64_t separator_lines_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::uint64_t line_ = 1;
  bool source_has_ended_ = false;
  bool inside_stretch_ = false;
};

}  // namespace Sward
