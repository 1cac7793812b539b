#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include "Sward_Arena.hpp"
#include "Sward_Check.hpp"
#include "Sward_Fill.hpp"
#include "Sward_MatrixSplit.hpp"
#include "Sward_Moment.hpp"
#include "Sward_MoveSlots.hpp"
#include "Sward_OptimizerOptions.hpp"
#include "Sward_StateVisitor.hpp"

namespace Sward {

/// The multiple in whose shares moments are split along a dimension: rows of a GPU's accesses, and whole blocks of a
/// row.
constexpr std::size_t split_alignment(StateType type, Side along) {
  return type == StateType::int8 && along == Side::columns ? block_extent : 16;
}

/// Both moments of one parameter, or what a rank has of them, rows x columns, computed in Value.
template <class ExecutionSpace, class Value>
class MomentPair {
  template <class T>
  using Matrix = typename Arena<ExecutionSpace>::template MatrixView<T>;
  template <class Storage>
  struct Pair {
    Storage first, second;
  };

 public:
  using Full = Matrix<Value>;
  using Half = Matrix<BFloat16>;
  using Codes = MomentCodes<ExecutionSpace>;

  MomentPair(Arena<ExecutionSpace>& arena, const std::string& name, std::size_t rows, std::size_t columns,
             StateType type) {
    const auto matrix = [&]<class T>(const std::string& moment, T) {
      return arena.template matrix<T>(name + " " + moment, BlockKind::optimizer_state, rows, columns);
    };
    const auto codes = [&](const std::string& moment) {
      const auto blocks = static_cast<std::size_t>(blocks_of(static_cast<int>(columns)));
      return Codes{
          matrix(moment, std::uint8_t()),
          arena.template matrix<float>(name + " " + moment + " scales", BlockKind::optimizer_state, rows, blocks)};
    };
    if (type == StateType::full)
      moments_ = Pair<Full>{matrix("first moment", Value()), matrix("second moment", Value())};
    else if (type == StateType::bfloat16)
      moments_ = Pair<Half>{matrix("first moment", BFloat16()), matrix("second moment", BFloat16())};
    else
      moments_ = Pair<Codes>{codes("first moment"), codes("second moment")};
  }

  /// Calls use(first, second) with both as they are stored.
  template <class Use>
  void use(const Use& use) const {
    std::visit([&](const auto& moments) { use(moments.first, moments.second); }, moments_);
  }

  /// Both become zero. Asynchronous on `space`.
  void reset(const ExecutionSpace& space) {
    use([&](const auto& first, const auto& second) {
      fill_zero(space, first);
      fill_zero(space, second);
    });
  }

  /// As of one matrix. Blocks of moments in 8 bits may hold several slots: those cannot be moved.
  template <class Source>
  void move_slots(const ExecutionSpace& space, Side side, const Source& source) const {
    use([&]<class Storage>(const Storage& first, const Storage& second) {
      if constexpr (std::is_same_v<Storage, Codes>) {
        throw std::logic_error("Sward::MomentPair::move_slots: moments in 8 bits stay where they are");
      } else {
        Sward::move_slots(space, side, source, first);
        Sward::move_slots(space, side, source, second);
      }
    });
  }

  /// These are what `rank` has of moments that are split so, of which the first `rows` and `columns` are visited; what
  /// lies beyond is padding.
  void visit_state(StateVisitor<ExecutionSpace, Value>& visitor, const MatrixSplit& split, int rank, std::size_t rows,
                   std::size_t columns) {
    const MatrixSplit visited{rows, columns, split.along, split.share};
    const MatrixSplit scales = split_of_scales(split, rows);
    use([&](const auto& first, const auto& second) {
      visit(visitor, "first_moment", first, rank, visited, scales);
      visit(visitor, "second_moment", second, rank, visited, scales);
    });
  }

 private:
  template <class View>
  static void fill_zero(const ExecutionSpace& space, const View& moment) {
    fill(space, moment, typename View::non_const_value_type(0.0F));
  }
  static void fill_zero(const ExecutionSpace& space, const Codes& moment) {
    fill(space, moment.codes, std::uint8_t{0});
    fill(space, moment.scales, 0.0F);
  }

  /// A share of columns is one of whole blocks.
  static MatrixSplit split_of_scales(const MatrixSplit& split, std::size_t rows) {
    const auto blocks = static_cast<std::size_t>(blocks_of(static_cast<int>(split.columns)));
    const std::size_t share = (split.share + block_extent - 1) / block_extent;
    return {rows, blocks, split.along, split.along == Side::columns ? share : split.share};
  }

  template <class View>
  static View corner(const View& moment, const MatrixPart& part) {
    return Kokkos::subview(moment, std::pair<std::size_t, std::size_t>(0, part.rows),
                           std::pair<std::size_t, std::size_t>(0, part.columns));
  }
  template <class View>
  static void visit(StateVisitor<ExecutionSpace, Value>& visitor, const std::string& name, const View& moment, int rank,
                    const MatrixSplit& split, const MatrixSplit& /*scales*/) {
    visitor.visit(name, corner(moment, split.part(rank)), split);
  }
  static void visit(StateVisitor<ExecutionSpace, Value>& visitor, const std::string& name, const Codes& moment,
                    int rank, const MatrixSplit& split, const MatrixSplit& scales) {
    visitor.visit(name, corner(moment.codes, split.part(rank)), split);
    const MatrixPart part = scales.part(rank);
    const std::size_t count = part.rows * part.columns;
    require(count <= moment.scales.size(), "Sward::MomentPair", "there are fewer scales than the rank's part has");
    visitor.visit(name + "_scales", typename StateVisitor<ExecutionSpace, Value>::Floats(moment.scales.data(), count),
                  scales);
  }

  std::variant<Pair<Full>, Pair<Half>, Pair<Codes>> moments_;
};

}  // namespace Sward
