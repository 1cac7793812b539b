#include "Sward_DividedText.hpp"

#include <algorithm>
#include <utility>

namespace Sward {
namespace {

constexpr std::size_t block_size = 1 << 20;

std::uint64_t count_lines(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

DividedText::DividedText(std::unique_ptr<ByteSource> source, std::string separator)
    : source_(std::move(source)), separator_(std::move(separator)), separator_lines_(count_lines(separator_)) {}

bool DividedText::next(Fragment& fragment) {
  std::size_t searched = begin_;
  while (true) {
    const std::size_t end = separator_.empty() ? std::string::npos : buffer_.find(separator_, searched);
    if (end != std::string::npos) {
      take(end, true, fragment);
      begin_ += separator_.size();
      line_ += separator_lines_;
      return true;
    }
    if (source_has_ended_) break;
    // A separator may begin in what is there and end in what is still to come, and so may the end of a line.
    const std::size_t kept = std::min(buffer_.size() - begin_, separator_.size());
    if (buffer_.size() - begin_ - kept >= block_size) {
      take(buffer_.size() - kept, false, fragment);
      return true;
    }
    searched = std::max(searched, buffer_.size() - kept) - begin_;
    fill();
  }
  const bool is_inside = inside_stretch_;
  take(buffer_.size(), true, fragment);
  fragment.ends_text = true;
  return is_inside || !fragment.text.empty();
}

void DividedText::take(std::size_t end, bool ends, Fragment& fragment) {
  fragment.text.assign(buffer_, begin_, end - begin_);
  fragment.line = line_;
  fragment.ends = ends;
  fragment.ends_text = false;
  line_ += count_lines(fragment.text);
  begin_ = end;
  inside_stretch_ = !ends;
}

/// Always a whole block but at the end: how a pipe delivers must not decide on fragments.
void DividedText::fill() {
  buffer_.erase(0, std::exchange(begin_, 0));
  std::size_t size = buffer_.size();
  const std::size_t wanted = size + block_size;
  buffer_.resize(wanted);
  while (size < wanted && !source_has_ended_) {
    const std::size_t count = source_->read(std::span(buffer_).subspan(size));
    size += count;
    source_has_ended_ = count == 0;
  }
  buffer_.resize(size);
}

}  // namespace Sward
