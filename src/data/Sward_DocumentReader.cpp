#include "Sward_DocumentReader.hpp"

#include <limits>
#include <utility>

#include "Sward_DividedText.hpp"

namespace Sward {
namespace {

/// Documents in fragments. The last fragment of a document says so, and may be empty.
class FragmentReader {
 public:
  virtual ~FragmentReader() = default;
  virtual bool next(Fragment& fragment) = 0;
};

class SeparatedReader : public FragmentReader {
 public:
  SeparatedReader(std::unique_ptr<ByteSource> source, const std::string& separator)
      : text_(std::move(source), separator) {}

  bool next(Fragment& fragment) override {
    while (text_.next(fragment)) {
      // Blank text behind the last separator is how files end, no document.
      const bool is_end = fragment.ends_text && begins_ && !is_first_ && is_blank(fragment.text);
      begins_ = fragment.ends;
      is_first_ = false;
      if (!is_end) return true;
    }
    return false;
  }

 private:
  DividedText text_;
  bool begins_ = true;
  bool is_first_ = true;
};

/// Lines without the carriage return that some systems write before the line feed.
class LineReader : public FragmentReader {
 public:
  explicit LineReader(std::unique_ptr<ByteSource> source) : text_(std::move(source), "\n") {}

  bool next(Fragment& fragment) override {
    begins_line_ = ends_line_;
    if (!text_.next(fragment)) return false;
    ends_line_ = fragment.ends;
    if (fragment.ends && fragment.text.ends_with('\r')) fragment.text.pop_back();
    return true;
  }

  /// The last fragment is the first one of its line.
  bool begins_line() const { return begins_line_; }

 private:
  DividedText text_;
  bool begins_line_ = true;
  bool ends_line_ = true;
};

/// Every line with text.
class SingleLineReader : public FragmentReader {
 public:
  explicit SingleLineReader(std::unique_ptr<ByteSource> source) : lines_(std::move(source)) {}

  bool next(Fragment& fragment) override {
    while (lines_.next(fragment)) {
      if (!lines_.begins_line() || !fragment.ends || !is_blank(fragment.text)) return true;
    }
    return false;
  }

 private:
  LineReader lines_;
};

/// Joins lines until one without text.
class ParagraphReader : public FragmentReader {
 public:
  explicit ParagraphReader(std::unique_ptr<ByteSource> source) : lines_(std::move(source)) {}

  bool next(Fragment& fragment) override {
    while (lines_.next(fragment)) {
      if (lines_.begins_line() && fragment.ends && is_blank(fragment.text)) {
        if (!inside_) continue;
        return end(fragment);
      }
      if (inside_ && lines_.begins_line()) fragment.text.insert(0, 1, '\n');
      inside_ = true;
      fragment.ends = false;
      return true;
    }
    return inside_ && end(fragment);
  }

 private:
  bool end(Fragment& fragment) {
    fragment.text.clear();
    fragment.ends = true;
    inside_ = false;
    return true;
  }

  LineReader lines_;
  bool inside_ = false;
};

/// Joins fragments to whole documents, or to parts of them.
class PartReader : public DocumentReader {
 public:
  /// Beyond `size` bytes a document is cut where `find_cut` says; one beyond twice that without a cut is overlong.
  PartReader(std::unique_ptr<FragmentReader> fragments, std::size_t size, FindLastCut find_cut)
      : fragments_(std::move(fragments)), size_(size), find_cut_(std::move(find_cut)) {}

  bool next(DocumentPart& part) override {
    part.begins = !inside_document_;
    part.is_overlong = false;
    Fragment fragment;
    while (fragments_->next(fragment)) {
      if (!inside_document_) line_ = fragment.line;
      inside_document_ = true;
      held_ += fragment.text;
      if (fragment.ends) return give(part, held_.size(), true);
      if (held_.size() <= size_) continue;
      const std::size_t cut = find_cut_(held_);
      if (cut >= size_ / 16) return give(part, cut, false);
      if (held_.size() > 2 * size_) {
        part.is_overlong = true;
        return give(part, held_.size(), false);
      }
    }
    return false;
  }

 private:
  bool give(DocumentPart& part, std::size_t size, bool ends) {
    part.text.assign(held_, 0, size);
    part.line = line_;
    part.ends = ends;
    held_.erase(0, size);
    inside_document_ = !ends;
    return true;
  }

  std::unique_ptr<FragmentReader> fragments_;
  std::size_t size_;
  FindLastCut find_cut_;
  std::string held_;
  std::uint64_t line_ = 0;
  bool inside_document_ = false;
};

std::unique_ptr<FragmentReader> make_fragment_reader(std::unique_ptr<ByteSource> source, DocumentDivision division,
                                                     const std::string& separator) {
  switch (division) {
    case DocumentDivision::none:
      return std::make_unique<SeparatedReader>(std::move(source), "");
    case DocumentDivision::separator:
      return std::make_unique<SeparatedReader>(std::move(source), separator);
    case DocumentDivision::line:
      return std::make_unique<SingleLineReader>(std::move(source));
    case DocumentDivision::blank_lines:
      break;
  }
  return std::make_unique<ParagraphReader>(std::move(source));
}

std::size_t find_no_cut(std::string_view /*text*/) { return 0; }

}  // namespace

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos; }

std::unique_ptr<DocumentReader> make_text_reader(std::unique_ptr<ByteSource> source, DocumentDivision division,
                                                 const std::string& separator, FindLastCut find_cut) {
  const std::size_t size = find_cut ? part_size : std::numeric_limits<std::size_t>::max() / 2;
  return std::make_unique<PartReader>(make_fragment_reader(std::move(source), division, separator), size,
                                      std::move(find_cut));
}

std::unique_ptr<DocumentReader> make_json_line_reader(std::unique_ptr<ByteSource> source) {
  return std::make_unique<PartReader>(std::make_unique<SingleLineReader>(std::move(source)), json_line_size,
                                      find_no_cut);
}

}  // namespace Sward
