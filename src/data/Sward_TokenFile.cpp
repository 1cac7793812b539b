#include "Sward_TokenFile.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "Sward_InputError.hpp"

namespace Sward {

TokenFile::TokenFile(const std::filesystem::path& path) : file_(Hdf5File::open_read(path)), tokens_(file_, "/tokens") {
  const auto version = file_.attribute<std::int64_t>("/", "format_version");
  if (version != 1) file_.fail("/", fmt::format("format_version is {}, this program reads 1", version));
  const auto vocab_size = file_.attribute<std::int64_t>("/", "vocab_size");
  if (vocab_size < 1 || vocab_size > std::numeric_limits<std::int32_t>::max()) {
    file_.fail("/", fmt::format("vocab_size is {}, wanted 1 to 2^31 - 1", vocab_size));
  }
  vocab_size_ = static_cast<std::uint32_t>(vocab_size);
  tokenizer_ = file_.attribute<std::string>("/", "tokenizer");
}

std::string TokenFile::tokenizer_model() const {
  if (!file_.exists("/tokenizer_model")) return {};
  const std::vector<std::uint8_t> bytes = file_.read<std::uint8_t>("/tokenizer_model");
  return {bytes.begin(), bytes.end()};
}

std::vector<std::uint32_t> TokenFile::read(std::uint64_t offset, std::uint64_t count) const {
  if (offset > token_count() || count > token_count() - offset) {
    file_.fail("/tokens", fmt::format("has {} tokens, wanted {} from {}", token_count(), count, offset));
  }
  std::vector<std::uint32_t> tokens(count);
  tokens_.read(file_, offset, tokens);
  return tokens;
}

bool TokenFile::has_document_starts() const { return file_.exists("/document_starts"); }

std::vector<std::uint64_t> TokenFile::document_starts() const { return file_.read<std::uint64_t>("/document_starts"); }

void check_tokens(const TokenFile& file, std::uint64_t first, std::uint64_t count, std::uint32_t vocab_size) {
  // Two chunks as they are usually written; larger blocks would leave the heap larger for the whole run.
  constexpr std::uint64_t block_size = 1 << 16;
  for (std::uint64_t done = 0; done < count; done += block_size) {
    const std::vector<std::uint32_t> block = file.read(first + done, std::min(block_size, count - done));
    const auto bad = std::find_if(block.begin(), block.end(), [&](std::uint32_t token) { return token >= vocab_size; });
    if (bad == block.end()) continue;
    const std::uint64_t position = first + done + static_cast<std::uint64_t>(bad - block.begin());
    throw InputError(fmt::format("{}: /tokens: token {} at position {} is not below the vocabulary size {}",
                                 file.path().string(), *bad, position, vocab_size));
  }
}

}  // namespace Sward
