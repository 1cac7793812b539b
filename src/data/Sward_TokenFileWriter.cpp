#include "Sward_TokenFileWriter.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

namespace Sward {
namespace {

// A shuffled sequence costs the read and the checksum of the chunk around it, so chunks are small.
constexpr std::size_t chunk_tokens = 1 << 15;
constexpr std::size_t chunk_starts = 1 << 12;
constexpr std::uint32_t narrow_vocabulary = 1 << 16;

}  // namespace

TokenFileWriter::TokenFileWriter(const std::filesystem::path& path, std::uint32_t vocab_size,
                                 const std::string& tokenizer, std::string_view model)
    : atomic_(path),
      file_(Hdf5File::create(atomic_.temporary())),
      vocab_size_(vocab_size),
      starts_(file_, "/document_starts", chunk_starts) {
  file_.write_attribute("/", "format_version", std::int64_t{1});
  file_.write_attribute("/", "vocab_size", std::int64_t{vocab_size});
  file_.write_attribute("/", "tokenizer", std::string_view(tokenizer));
  if (!model.empty()) {
    const std::vector<std::uint8_t> bytes(model.begin(), model.end());
    file_.write("/tokenizer_model", std::span<const std::uint8_t>(bytes));
  }
  if (vocab_size <= narrow_vocabulary) {
    narrow_.emplace(file_, "/tokens", chunk_tokens);
  } else {
    wide_.emplace(file_, "/tokens", chunk_tokens);
  }
}

std::uint64_t TokenFileWriter::token_count() const { return narrow_ ? narrow_->size() : wide_->size(); }

void TokenFileWriter::append(std::span<const std::uint32_t> document, std::span<const std::uint8_t> mask) {
  start_document();
  extend(document, mask);
}

void TokenFileWriter::start_document() {
  document_start_ = token_count();
  starts_.append(file_, std::span<const std::uint64_t>(&document_start_, 1));
}

void TokenFileWriter::extend(std::span<const std::uint32_t> tokens, std::span<const std::uint8_t> mask) {
  for (const std::uint32_t token : tokens) {
    if (token < vocab_size_) continue;
    throw std::out_of_range(
        fmt::format("{}: token {} is not below the vocabulary size {}", atomic_.target().string(), token, vocab_size_));
  }
  if (!mask.empty() && mask.size() != tokens.size()) {
    throw std::invalid_argument(fmt::format("{}: a loss mask of {} values for {} tokens", atomic_.target().string(),
                                            mask.size(), tokens.size()));
  }
  if (mask_ || !mask.empty()) extend_mask(tokens.size(), mask);
  if (narrow_) {
    const std::vector<std::uint16_t> values(tokens.begin(), tokens.end());
    narrow_->append(file_, values);
  } else {
    wide_->append(file_, tokens);
  }
}

void TokenFileWriter::extend_mask(std::size_t count, std::span<const std::uint8_t> mask) {
  const std::vector<std::uint8_t> ones(chunk_tokens, 1);
  const auto append_ones = [&](std::uint64_t left) {
    while (left > 0) {
      const std::size_t size = std::min<std::uint64_t>(left, ones.size());
      mask_->append(file_, std::span(ones).first(size));
      left -= size;
    }
  };
  if (!mask_) {
    mask_.emplace(file_, "/loss_mask", chunk_tokens);
    append_ones(token_count());
  }
  if (mask.empty()) {
    append_ones(count);
  } else {
    mask_->append(file_, mask);
  }
}

void TokenFileWriter::discard_document() {
  starts_.truncate(file_, starts_.size() - 1);
  if (narrow_) narrow_->truncate(file_, document_start_);
  if (wide_) wide_->truncate(file_, document_start_);
  if (mask_) mask_->truncate(file_, document_start_);
}

void TokenFileWriter::finish() {
  if (std::exchange(is_finished_, true)) return;
  if (narrow_) narrow_->finish(file_);
  if (wide_) wide_->finish(file_);
  if (mask_) mask_->finish(file_);
  starts_.finish(file_);
  file_.close();
  atomic_.sync();
}

void TokenFileWriter::commit() {
  finish();
  atomic_.commit();
}

}  // namespace Sward
