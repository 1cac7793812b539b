#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "Sward_AtomicFile.hpp"
#include "Sward_Hdf5Appender.hpp"

namespace Sward {

/// Writes a token file document by document; it appears under its name with `commit()`, whole or not at all.
/// Tokens are stored as uint16 where the vocabulary has at most 65,536 entries, else as uint32.
/// Failures are std::runtime_error naming the file.
class TokenFileWriter {
 public:
  /// `tokenizer` is the tokenizer's name, `model` its SentencePiece model where it has one, else empty.
  TokenFileWriter(const std::filesystem::path& path, std::uint32_t vocab_size, const std::string& tokenizer,
                  std::string_view model);

  /// Appends one document and records where it starts: `start_document` and `extend`.
  void append(std::span<const std::uint32_t> document, std::span<const std::uint8_t> mask = {});

  /// Records that the next document starts here.
  void start_document();
  /// Appends tokens to the last document. `mask` has one value a token, 0 where a target does not count, or none, where
  /// all do; /loss_mask exists once there was one. Throws std::out_of_range for a token outside the vocabulary, and
  /// std::invalid_argument for a mask of another length.
  void extend(std::span<const std::uint32_t> tokens, std::span<const std::uint8_t> mask = {});
  /// Takes the last document back.
  void discard_document();

  std::uint64_t token_count() const;
  std::uint64_t document_count() const { return starts_.size(); }

  /// Writes what is left, so that only the name is missing; nothing may be appended afterwards.
  void finish();
  /// `finish()`, and gives the file its name.
  void commit();

 private:
  void extend_mask(std::size_t count, std::span<const std::uint8_t> mask);

  AtomicFile atomic_;
  Hdf5File file_;
  std::uint32_t vocab_size_;
  std::optional<Hdf5Appender<std::uint16_t>> narrow_;
  std::optional<Hdf5Appender<std::uint32_t>> wide_;
  Hdf5Appender<std::uint64_t> starts_;
  std::optional<Hdf5Appender<std::uint8_t>> mask_;
  std::uint64_t document_start_ = 0;
  bool is_finished_ = false;
};

}  // namespace Sward
