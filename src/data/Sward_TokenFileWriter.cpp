#include "Sward_TokenFileWriter.hpp"

#include <fmt/core.h>

#include <stdexcept>
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

void TokenFileWriter::append(std::span<const std::uint32_t> document) {
  for (const std::uint32_t token : document) {
    if (token < vocab_size_) continue;
    throw std::out_of_range(
        fmt::format("{}: token {} is not below the vocabulary size {}", atomic_.target().string(), token, vocab_size_));
  }
  const std::uint64_t start = token_count();
  starts_.append(file_, std::span<const std::uint64_t>(&start, 1));
  if (narrow_) {
    const std::vector<std::uint16_t> tokens(document.begin(), document.end());
    narrow_->append(file_, tokens);
  } else {
    wide_->append(file_, document);
  }
}

void TokenFileWriter::commit() {
  if (narrow_) narrow_->finish(file_);
  if (wide_) wide_->finish(file_);
  starts_.finish(file_);
  file_.close();
  atomic_.commit();
}

}  // namespace Sward
