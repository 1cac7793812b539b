#include <algorithm>

#include "Sward_DocumentReader.hpp"
#include "Sward_FuzzAnswer.hpp"
#include "Sward_FuzzTargets.hpp"
#include "Sward_JsonDocument.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Fuzz {
namespace {

/// Whether the line is read as a document of either kind; the other must be refused as a bad document.
bool is_document(const std::string& line) {
  bool read = false;
  try {
    read_json_text(line, {});
    read = true;
  } catch (const BadDocument&) {
  }
  try {
    const JsonTokens document = read_json_tokens(line, 1000);
    require(document.mask.empty() || document.mask.size() == document.tokens.size(), "a mask has another length");
    for (const std::uint32_t token : document.tokens) require(token < 1000, "a token is outside the vocabulary");
    return true;
  } catch (const BadDocument&) {
    return read;
  }
}

bool are_documents(std::string_view lines) {
  bool all = true;
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size());
    all = is_document(std::string(lines.substr(begin, end - begin))) && all;
    begin = end + 1;
  }
  return all;
}

}  // namespace

bool fuzz_json_lines(std::string_view bytes) {
  // The reader of files clears a MiB for each, which would take most of the time.
  if (recognise_compression(bytes) == Compression::none) return are_documents(bytes);
  static const Test::TemporaryFolder folder;
  static const std::filesystem::path file = folder / "lines.jsonl";
  Test::write_file(file, std::string(bytes));
  bool all = true;
  const bool file_is_read = is_read(
      [&] {
        const auto reader = make_json_line_reader(open_byte_source(file));
        for (DocumentPart part; reader->next(part);) all = !part.is_overlong && is_document(part.text) && all;
      },
      {file.native()});
  return file_is_read && all;
}

}  // namespace Sward::Fuzz
