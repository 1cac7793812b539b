#include "Sward_TokenFile.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "Sward_InputError.hpp"

namespace Sward {
namespace {

// Two chunks as they are usually written; larger blocks would leave the heap larger for the whole run.
constexpr std::uint64_t block_size = 1 << 16;

}  // namespace

TokenFile::TokenFile(const std::filesystem::path& path) : file_(Hdf5File::open_read(path)), tokens_(file_, "/tokens") {
  const auto version = file_.attribute<std::int64_t>("/", "format_version");
  if (version != 1) file_.fail("/", fmt::format("format_version is {}, this program reads 1", version));
  const auto vocab_size = file_.attribute<std::int64_t>("/", "vocab_size");
  if (vocab_size < 1 || vocab_size > std::numeric_limits<std::int32_t>::max()) {
    file_.fail("/", fmt::format("vocab_size is {}, wanted 1 to 2^31 - 1", vocab_size));
  }
  vocab_size_ = static_cast<std::uint32_t>(vocab_size);
  tokenizer_ = file_.attribute<std::string>("/", "tokenizer");
  if (!file_.exists("/loss_mask")) return;
  loss_mask_.emplace(file_, "/loss_mask");
  if (loss_mask_->size() != token_count()) {
    file_.fail("/loss_mask",
               fmt::format("has {} values, wanted one for each of {} tokens", loss_mask_->size(), token_count()));
  }
}

std::uint64_t TokenFile::sequence_count(std::uint64_t length) const {
  return token_count() > 0 ? (token_count() - 1) / length : 0;
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

std::vector<std::uint32_t> TokenFile::loss_mask(std::uint64_t offset, std::uint64_t count) const {
  std::vector<std::uint32_t> mask(count, 1);
  if (!loss_mask_) return mask;
  loss_mask_->read(file_, offset, mask);
  const auto bad = std::find_if(mask.begin(), mask.end(), [](std::uint32_t value) { return value > 1; });
  if (bad != mask.end()) {
    const std::uint64_t position = offset + static_cast<std::uint64_t>(bad - mask.begin());
    file_.fail("/loss_mask", fmt::format("{} at position {} is neither 0 nor 1", *bad, position));
  }
  return mask;
}

bool TokenFile::has_document_starts() const { return file_.exists("/document_starts"); }

std::vector<std::uint64_t> TokenFile::document_starts() const {
  const std::string name = "/document_starts";
  if (!has_document_starts()) file_.fail(name, "is missing; attention within documents needs it");
  const Hdf5IntegerArray array(file_, name);
  std::vector<std::uint64_t> starts(array.size());
  array.read(file_, 0, starts);
  const std::uint64_t first = starts.empty() ? token_count() : starts.front();
  if (token_count() > 0 && first != 0) file_.fail(name, fmt::format("begins with {}, wanted 0", first));
  const auto unsorted = std::is_sorted_until(starts.begin(), starts.end());
  if (unsorted != starts.end())
    file_.fail(name, fmt::format("{} stands behind {}, wanted them ascending", *unsorted, *(unsorted - 1)));
  if (!starts.empty() && starts.back() >= token_count())
    file_.fail(name, fmt::format("{} is not below the {} tokens", starts.back(), token_count()));
  return starts;
}

void check_tokens(const TokenFile& file, std::uint64_t first, std::uint64_t count, std::uint32_t vocab_size) {
  for (std::uint64_t done = 0; done < count; done += block_size) {
    const std::uint64_t size = std::min(block_size, count - done);
    file.loss_mask(first + done, size);
    const std::vector<std::uint32_t> block = file.read(first + done, size);
    const auto bad = std::find_if(block.begin(), block.end(), [&](std::uint32_t token) { return token >= vocab_size; });
    if (bad == block.end()) continue;
    const std::uint64_t position = first + done + static_cast<std::uint64_t>(bad - block.begin());
    throw InputError(fmt::format("{}: /tokens: token {} at position {} is not below the vocabulary size {}",
                                 file.path().string(), *bad, position, vocab_size));
  }
}

bool has_counting_target(const TokenFile& file, std::uint64_t first, std::uint64_t count) {
  if (!file.has_loss_mask()) return count > 0;
  for (std::uint64_t done = 0; done < count; done += block_size) {
    const std::vector<std::uint32_t> mask = file.loss_mask(first + done, std::min(block_size, count - done));
    if (std::find(mask.begin(), mask.end(), 1U) != mask.end()) return true;
  }
  return false;
}

}  // namespace Sward
