#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "Sward_ByteSource.hpp"

namespace Sward {

/// A document, or a part of a long one.
struct DocumentPart {
  std::string text;
  /// The line of the input at which the document begins, from 1.
  std::uint64_t line = 0;
  /// The first and the last part of its document.
  bool begins = false;
  bool ends = false;
  /// There is no place at which this document could be cut into parts of bounded size.
  bool is_overlong = false;
};

/// A source of documents, read one part at a time.
class DocumentReader {
 public:
  virtual ~DocumentReader() = default;
  /// The next part; false at the end. Throws InputError naming the file when it cannot be read.
  virtual bool next(DocumentPart& part) = 0;
};

/// How a text file is divided: not at all, at lines without text, at every line end, or wherever a separator stands.
/// What divides belongs to no document.
enum class DocumentDivision { none, blank_lines, line, separator };

/// The last place at which a text can be cut, 0 where there is none.
using FindLastCut = std::function<std::size_t(std::string_view)>;

/// Above this size, in bytes, a text document comes in parts, and the first one has at least a sixteenth of it.
constexpr std::size_t part_size = std::size_t{1} << 20;

/// The longest line of JSON, in bytes, that is surely read; one of twice this size surely not.
constexpr std::size_t json_line_size = std::size_t{8} << 20;

/// Reads text. `separator` is the dividing text where the division says so. Without `find_cut` a document is always
/// whole. Lines without text are no documents where lines or blank lines divide; elsewhere documents may be blank.
std::unique_ptr<DocumentReader> make_text_reader(std::unique_ptr<ByteSource> source, DocumentDivision division,
                                                 const std::string& separator, FindLastCut find_cut);

/// Reads JSON lines: every line with text is a document, in one part unless it is overlong.
std::unique_ptr<DocumentReader> make_json_line_reader(std::unique_ptr<ByteSource> source);

/// White space alone, or nothing.
bool is_blank(std::string_view text);

}  // namespace Sward
