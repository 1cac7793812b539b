#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <stdexcept>
#include <vector>

#include "Sward_Copy.hpp"
#include "Sward_Fill.hpp"
#include "Sward_GatheredFactors.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_ParameterInfo.hpp"
#include "Sward_ParameterOptimizer.hpp"
#include "Sward_ProcessGroup.hpp"
#include "Sward_ProjectProduct.hpp"
#include "Sward_ProjectRows.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_SampleRows.hpp"
#include "Sward_Scale.hpp"
#include "Sward_SelectTopRows.hpp"
#include "Sward_SelectionCheck.hpp"
#include "Sward_SlotAges.hpp"

namespace Sward {

/// The dimension that the rule selects from in a weight; a tie selects rows.
inline Side selected_side(GrassConstants::SideRule rule, const ParameterInfo& weight) {
  if (rule == GrassConstants::SideRule::rows) return Side::rows;
  if (rule == GrassConstants::SideRule::columns) return Side::columns;
  return weight.rows <= weight.columns ? Side::rows : Side::columns;
}

/// Scratch that all projected matrices of an optimizer share, because they are worked on one after another.
template <class ExecutionSpace, class Scalar>
struct GrassWorkspace {
  /// Two where the sum of one gradient runs beside the product of the next, each of the largest rows x columns of a
  /// refresh; idle in all other updates.
  std::vector<Kokkos::View<Real<Scalar>*, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>>
      full_gradients;
  std::size_t next_full_gradient = 0;
  GatheredFactors<ExecutionSpace, Scalar> gathered;
  Kokkos::View<double*, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>> norms;
  SelectionWorkspace<ExecutionSpace> selection;
};

/// Grass on one matrix: the gradient, both moments and the message hold only the selected rows (or columns).
///
/// In the first micro-batch of a refresh the whole gradient is summed over ranks in shared workspace, chooses the rows,
/// and is projected; every other micro-batch computes the selected rows straight from the factors.
template <class ExecutionSpace, class Scalar>
class GrassParameter : public ParameterOptimizer<ExecutionSpace, Scalar> {
  using Base = ParameterOptimizer<ExecutionSpace, Scalar>;
  using Value = Real<Scalar>;

 public:
  using typename Base::ConstGradientMatrix;
  using typename Base::ConstMatrix;
  using typename Base::DenseGradient;
  using typename Base::GradientMatrix;
  using typename Base::Matrix;
  using typename Base::Slice;
  using Workspace = GrassWorkspace<ExecutionSpace, Scalar>;

  GrassParameter(Arena<ExecutionSpace>& arena, const ParameterInfo& info, int number, Matrix weight,
                 const AdamConstants& adam, const GrassConstants& grass, const Shard& shard, Workspace& workspace,
                 ProcessGroup& communicator)
      : info_(info),
        number_(number),
        rank_(shard.rank),
        adam_(adam),
        grass_(grass),
        workspace_(workspace),
        communicator_(communicator) {
    selection_.side = selected_side(grass.side, info);
    const bool by_rows = selection_.side == Side::rows;
    const auto extent = static_cast<std::size_t>(by_rows ? info.rows : info.columns);
    // Padding is never selected.
    weight_ = by_rows ? Matrix(Kokkos::subview(weight, first_of(extent), Kokkos::ALL))
                      : Matrix(Kokkos::subview(weight, Kokkos::ALL, first_of(extent)));
    const std::size_t rank = std::min(static_cast<std::size_t>(grass.rank), extent);
    selection_.extent = static_cast<int>(extent);
    constexpr BlockKind state = BlockKind::optimizer_state;
    selection_.rows = arena.template vector<int>(info.name + " rows", state, rank);
    selection_.scale = arena.template vector<float>(info.name + " scale", state, rank);
    const auto [rows, columns] = gradient_extents();
    // Slots that hold the same row change the same elements, so that no rank has some of them without the others.
    const Side along = by_rows ? Side::columns : Side::rows;
    split_ = split_matrix(rows, columns, along, shard, split_alignment(adam.state, along));
    part_ = split_.part(shard.rank);
    weight_part_ = subview_of(weight_, part_of_weight());
    moments_.emplace(arena, info.name, part_.rows, part_.columns, adam.state);
    if (grass.keep_moments) ages_.emplace(arena, info.name, rank);
  }

  std::pair<std::size_t, std::size_t> gradient_extents() const override {
    const std::size_t rank = selection_.rows.extent(0);
    return selection_.side == Side::rows ? std::pair{rank, weight_.extent(1)} : std::pair{weight_.extent(0), rank};
  }
  void set_gradient(GradientMatrix gradient) override {
    gradient_ = gradient;
    gradient_part_ = subview_of(gradient_, part_);
  }
  GradientMatrix gradient() const override { return gradient_; }
  Matrix weight() const override { return weight_; }
  const MatrixSplit& split() const override { return split_; }
  void set_parts(const Matrix& weight_part, const GradientMatrix& gradient_part) override {
    weight_part_ = weight_part;
    gradient_part_ = gradient_part;
  }

  void initialize(const ExecutionSpace& space) override {
    fill(space, selection_.rows, 0);
    fill(space, selection_.scale, 1.0F);
    moments_->reset(space);
    if (ages_) ages_->reset(space);
    count_ = 0;
  }

  void begin_update(const ExecutionSpace& space, std::int64_t step, bool refresh) override {
    step_ = step;
    gradient_is_empty_ = true;
    choosing_ = refresh;
    if (!choosing_) return;
    count_ = 0;
    if (!ages_) moments_->reset(space);
    if (!needs_norms()) choose(space);
  }

  void accept_factors(const ExecutionSpace& space, ConstMatrix output_gradient, ConstMatrix input) override {
    const Value keep = take_keep();
    const auto extent = static_cast<std::size_t>(selection_.extent);
    if (selection_.side == Side::rows) {
      output_gradient = Kokkos::subview(output_gradient, Kokkos::ALL, first_of(extent));
    } else {
      input = Kokkos::subview(input, Kokkos::ALL, first_of(extent));
    }
    if (choosing_) {
      if (keep == Value(0)) full_gradient_ = take_full_gradient();
      matrix_product(space, Transpose::yes, Transpose::no, 1, output_gradient, input, keep, full_gradient_);
      return;
    }
    const Matrix gathered = workspace_.gathered.take(input.extent(0), selection_.rows.extent(0));
    project_product(space, selection_, output_gradient, input, gathered, keep, gradient_);
    workspace_.gathered.give_back(gathered);
  }

  Slice wanted_columns(GradientFactor factor, std::size_t tokens) override {
    const GradientFactor selected =
        selection_.side == Side::rows ? GradientFactor::output_gradient : GradientFactor::input;
    if (choosing_ || factor != selected) return {};
    wanted_ = workspace_.gathered.take(tokens, selection_.rows.extent(0));
    return {selection_.rows, wanted_};
  }

  ColumnProduct<ExecutionSpace, Scalar> take_columns() override {
    workspace_.gathered.give_back(wanted_);
    return {selection_.side, wanted_, gradient_, take_keep()};
  }

  void accept_gradient(const ExecutionSpace& space, ConstGradientMatrix gradient) override {
    gradient_is_empty_ = false;
    if (choosing_) {
      full_gradient_ = take_full_gradient();
      copy(space, gradient, full_gradient_);
    } else {
      project_rows(space, selection_, gradient, gradient_);
    }
  }

  DenseGradient dense_gradient() override {
    throw std::logic_error("Sward::GrassParameter: " + info_.name + " takes factors, not a dense gradient");
  }

  bool start_choice(const ExecutionSpace& space) override {
    if (choosing_) sum_ = communicator_.start_all_reduce(space, full_gradient_, "the gradient of " + info_.name);
    return choosing_;
  }

  void finish_choice(const ExecutionSpace& space) override {
    communicator_.wait(space, sum_);
    row_norms(space, full_gradient_, selection_.side, norms());
    choose(space);
    project_rows(space, selection_, full_gradient_, gradient_);
    // Every rank now holds the sum, and the layer's message will add the ranks up once more.
    share_among_ranks(space);
  }

  void update(const UpdateContext& context, MessageUpdate<ExecutionSpace, Scalar>& updates) override {
    ++count_;
    if (ages_ && count_ == 1) ages_->follow(updates.space(), selection_, *moments_);
    AdamStep step{adam_.beta1, adam_.beta2, adam_.epsilon, count_, context.gradient_scale};
    RowSelection<ExecutionSpace> selection = selection_;
    double rate = context.learning_rate * grass_.scale;
    if (ages_) {
      selection = ages_->age(updates.space(), selection_, {adam_.beta1, adam_.beta2, grass_.refresh_warmup});
      step.count = corrected_by_ages;
    } else {
      rate *= refresh_ramp();
    }
    if (part_.is_empty()) return;
    moments_->use([&]<class Storage>(const Storage& first, const Storage& second) {
      auto update = grass_row_update(selection, step, rate, context.learning_rate * adam_.weight_decay,
                                     context.rounding, gradient_part_, first, second, weight_part_);
      update.count_as_part(place_of(part_, split_));
      updates.template add<Storage>(update);
    });
  }

  void skip_update(const ExecutionSpace& space) override {
    if (ages_ && count_ == 0 && !choosing_) ages_->restore(space, selection_);
  }

  bool needs_refresh() const override { return count_ == 0; }
  bool forgets_at_refresh() const override { return !ages_; }

  std::optional<WeightShares<ExecutionSpace, Matrix>> weight_shares() const override {
    if (!split_.is_split()) return {};
    return WeightShares<ExecutionSpace, Matrix>{weight_, selection_.side, false, selection_.rows,
                                                static_cast<int>(split_.share)};
  }

  std::size_t refresh_elements() const override { return needs_norms() ? weight_.extent(0) * weight_.extent(1) : 0; }

  void visit_state(StateVisitor<ExecutionSpace, Value>& visitor) override {
    visitor.visit("rows", selection_.rows, selection_.extent);
    visitor.visit("scale", selection_.scale);
    const std::size_t rank = selection_.rows.extent(0);
    const bool by_rows = selection_.side == Side::rows;
    moments_->visit_state(visitor, split_, rank_, by_rows ? rank : static_cast<std::size_t>(info_.rows),
                          by_rows ? static_cast<std::size_t>(info_.columns) : rank);
    visitor.visit("count", count_);
    if (ages_) visitor.visit("ages", ages_->ages(), std::numeric_limits<int>::max());
  }

  const RowSelection<ExecutionSpace>& selection() const { return selection_; }

 private:
  /// Updates after which Adam corrects no bias.
  static constexpr std::int64_t corrected_by_ages = std::numeric_limits<std::int64_t>::max();

  static std::pair<std::size_t, std::size_t> first_of(std::size_t count) { return {0, count}; }

  /// The factor on the gradient so far: 0 before the first part of an update.
  Value take_keep() {
    const Value keep = gradient_is_empty_ ? Value(0) : Value(1);
    gradient_is_empty_ = false;
    return keep;
  }

  bool needs_norms() const {
    return grass_.selection != Selection::uniform && grass_.selection != Selection::uniform_replacement;
  }

  /// The one that was taken least recently: its gradient has been projected.
  GradientMatrix take_full_gradient() {
    const auto& memory = workspace_.full_gradients[workspace_.next_full_gradient];
    workspace_.next_full_gradient = (workspace_.next_full_gradient + 1) % workspace_.full_gradients.size();
    return GradientMatrix(memory.data(), weight_.extent(0), weight_.extent(1));
  }

  auto norms() const { return Kokkos::subview(workspace_.norms, std::pair<int, int>(0, selection_.extent)); }

  SelectionWorkspace<ExecutionSpace> selection_workspace() const {
    const std::pair<std::size_t, std::size_t> extent(0, static_cast<std::size_t>(selection_.extent));
    const SelectionWorkspace<ExecutionSpace>& all = workspace_.selection;
    return {Kokkos::subview(all.keys, extent), Kokkos::subview(all.counts, extent)};
  }

  void choose(const ExecutionSpace& space) {
    if (ages_) ages_->remember(space, selection_);
    if (grass_.selection == Selection::top_r) {
      select_top_rows(space, norms(), selection_workspace(), selection_);
    } else {
      const Draw draw{grass_.seed, static_cast<std::uint64_t>(step_), static_cast<std::uint32_t>(number_)};
      sample_rows(space, grass_.selection, norms(), draw, selection_workspace(), selection_);
    }
    choosing_ = false;
#ifndef NDEBUG
    check_same_selection(space, selection_, info_.name, communicator_);
#endif
  }

  void share_among_ranks(const ExecutionSpace& space) {
    if (communicator_.size() > 1) scale(space, gradient_, Value(1) / static_cast<Value>(communicator_.size()));
  }

  /// What this rank's part of the gradient changes, and what lies between its rows or columns.
  MatrixPart part_of_weight() const {
    if (selection_.side == Side::rows) return {0, part_.first_column, weight_.extent(0), part_.columns};
    return {part_.first_row, 0, part_.rows, weight_.extent(1)};
  }

  double refresh_ramp() const {
    if (grass_.refresh_warmup == 0) return 1.0;
    return std::min(1.0, static_cast<double>(count_) / static_cast<double>(grass_.refresh_warmup));
  }

  ParameterInfo info_;
  int number_;
  int rank_;
  Matrix weight_;
  GradientMatrix gradient_;
  MatrixSplit split_;                                         ///< of the gradient and of what is as large
  MatrixPart part_;                                           ///< that this rank updates
  Matrix weight_part_;                                        ///< what it changes, and what lies between
  GradientMatrix gradient_part_;                              ///< summed over ranks
  std::optional<MomentPair<ExecutionSpace, Value>> moments_;  ///< always there once the selection's size is known
  RowSelection<ExecutionSpace> selection_;
  std::optional<SlotAges<ExecutionSpace>> ages_;  ///< where moments outlive a refresh
  AdamConstants adam_;
  GrassConstants grass_;
  Workspace& workspace_;
  Matrix wanted_;                 ///< columns that the model is writing
  GradientMatrix full_gradient_;  ///< by which rows are chosen
  ProcessGroup::Ticket sum_ = 0;  ///< of it over ranks
  ProcessGroup& communicator_;
  std::int64_t step_ = 0;
  std::int64_t count_ = 0;  ///< updates since the selection, for the bias correction and the ramp
  bool gradient_is_empty_ = true;
  bool choosing_ = false;
};

}  // namespace Sward
