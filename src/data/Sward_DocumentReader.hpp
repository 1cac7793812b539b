#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace Sward {

/// A source of documents, read one at a time.
class DocumentReader {
 public:
  virtual ~DocumentReader() = default;
  /// Puts the next document into `document`; false at the end. Documents of white space alone are left out.
  /// Throws InputError naming the file when it cannot be read.
  virtual bool next(std::string& document) = 0;
};

/// How a text file is divided: not at all, at lines without text, at every line end, or wherever a separator stands.
/// What divides belongs to no document.
enum class DocumentDivision { none, blank_lines, line, separator };

/// Reads a text file. `separator` is the dividing text where the division says so.
/// Throws InputError when the file cannot be opened.
std::unique_ptr<DocumentReader> make_text_reader(const std::filesystem::path& path, DocumentDivision division,
                                                 const std::string& separator);

}  // namespace Sward
