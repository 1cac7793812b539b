#include "Sward_DocumentReader.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <string_view>
#include <utility>

#include "Sward_InputError.hpp"

namespace Sward {
namespace {

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos; }

/// The pieces of a file between the occurrences of a separator; the whole file when the separator is empty.
class DividedFile {
 public:
  DividedFile(std::filesystem::path path, std::string separator)
      : path_(std::move(path)), separator_(std::move(separator)), stream_(path_, std::ios::binary) {
    if (!stream_ || std::filesystem::is_directory(path_)) {
      throw InputError(fmt::format("{}: cannot open this file", path_.string()));
    }
  }

  bool next(std::string& piece) {
    std::size_t searched = begin_;
    while (true) {
      const std::size_t end = separator_.empty() ? std::string::npos : buffer_.find(separator_, searched);
      if (end != std::string::npos) {
        piece.assign(buffer_, begin_, end - begin_);
        begin_ = end + separator_.size();
        return true;
      }
      // A separator may begin in what is there and end in what is still to come.
      searched = std::max(searched, buffer_.size() - std::min(buffer_.size(), separator_.size()));
      if (!stream_) break;
      searched -= begin_;
      fill();
    }
    piece.assign(buffer_, begin_);
    begin_ = buffer_.size();
    return !piece.empty();
  }

 private:
  void fill() {
    constexpr std::size_t block_size = 1 << 20;
    buffer_.erase(0, std::exchange(begin_, 0));
    const std::size_t size = buffer_.size();
    buffer_.resize(size + block_size);
    stream_.read(buffer_.data() + size, block_size);
    buffer_.resize(size + static_cast<std::size_t>(stream_.gcount()));
    if (stream_.bad()) throw InputError(fmt::format("{}: cannot read on", path_.string()));
  }

  std::filesystem::path path_;
  std::string separator_;
  std::ifstream stream_;
  std::string buffer_;
  std::size_t begin_ = 0;
};

class SeparatedReader : public DocumentReader {
 public:
  SeparatedReader(const std::filesystem::path& path, const std::string& separator) : pieces_(path, separator) {}

  bool next(std::string& document) override {
    while (pieces_.next(document)) {
      if (!is_blank(document)) return true;
    }
    return false;
  }

 private:
  DividedFile pieces_;
};

/// Lines, without the carriage return that some systems write before the line feed.
class LineReader {
 public:
  explicit LineReader(const std::filesystem::path& path) : lines_(path, "\n") {}

  bool next(std::string& line) {
    if (!lines_.next(line)) return false;
    if (line.ends_with('\r')) line.pop_back();
    return true;
  }

 private:
  DividedFile lines_;
};

class SingleLineReader : public DocumentReader {
 public:
  explicit SingleLineReader(const std::filesystem::path& path) : lines_(path) {}

  bool next(std::string& document) override {
    while (lines_.next(document)) {
      if (!is_blank(document)) return true;
    }
    return false;
  }

 private:
  LineReader lines_;
};

/// Joins lines until one without text.
class ParagraphReader : public DocumentReader {
 public:
  explicit ParagraphReader(const std::filesystem::path& path) : lines_(path) {}

  bool next(std::string& document) override {
    document.clear();
    std::string line;
    while (lines_.next(line)) {
      if (is_blank(line)) {
        if (!document.empty()) return true;
        continue;
      }
      if (!document.empty()) document += '\n';
      document += line;
    }
    return !document.empty();
  }

 private:
  LineReader lines_;
};

}  // namespace

std::unique_ptr<DocumentReader> make_text_reader(const std::filesystem::path& path, DocumentDivision division,
                                                 const std::string& separator) {
  switch (division) {
    case DocumentDivision::none:
      return std::make_unique<SeparatedReader>(path, "");
    case DocumentDivision::separator:
      return std::make_unique<SeparatedReader>(path, separator);
    case DocumentDivision::line:
      return std::make_unique<SingleLineReader>(path);
    case DocumentDivision::blank_lines:
      break;
  }
  return std::make_unique<ParagraphReader>(path);
}

}  // namespace Sward
