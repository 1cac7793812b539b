#pragma once

#include <utility>

#include "Sward_Copy.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_ParameterInfo.hpp"
#include "Sward_ParameterOptimizer.hpp"

namespace Sward {

/// AdamW in full: gradient and both moments as large as the weight (rows x columns).
template <class ExecutionSpace, class Scalar>
class DenseParameter : public ParameterOptimizer<ExecutionSpace, Scalar> {
  using Base = ParameterOptimizer<ExecutionSpace, Scalar>;
  using Value = Real<Scalar>;

 public:
  using typename Base::ConstGradientMatrix;
  using typename Base::ConstMatrix;
  using typename Base::DenseGradient;
  using typename Base::GradientMatrix;
  using typename Base::Matrix;

  DenseParameter(Arena<ExecutionSpace>& arena, const ParameterInfo& info, Matrix weight, const AdamConstants& adam,
                 const Shard& shard)
      : info_(info),
        weight_(weight),
        rank_(shard.rank),
        split_(split_matrix(weight.extent(0), weight.extent(1), Side::rows, shard,
                            split_alignment(adam.state, Side::rows))),
        part_(split_.part(shard.rank)),
        weight_part_(subview_of(weight, part_)),
        moments_(arena, info.name, part_.rows, part_.columns, adam.state),
        adam_(adam) {}

  std::pair<std::size_t, std::size_t> gradient_extents() const override {
    return {weight_.extent(0), weight_.extent(1)};
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
    moments_.reset(space);
    count_ = 0;
  }

  void begin_update(const ExecutionSpace&, std::int64_t, bool) override { has_parts_ = false; }

  void accept_factors(const ExecutionSpace& space, ConstMatrix output_gradient, ConstMatrix input) override {
    const Value keep = has_parts_ ? Value(1) : Value(0);
    matrix_product(space, Transpose::yes, Transpose::no, 1, output_gradient, input, keep, gradient_);
    has_parts_ = true;
  }

  void accept_gradient(const ExecutionSpace& space, ConstGradientMatrix gradient) override {
    copy(space, gradient, gradient_);
    has_parts_ = true;
  }

  DenseGradient dense_gradient() override { return {gradient_, std::exchange(has_parts_, true)}; }

  void update(const UpdateContext& context, MessageUpdate<ExecutionSpace, Scalar>& updates) override {
    ++count_;
    if (part_.is_empty()) return;
    const AdamStep step{adam_.beta1, adam_.beta2, adam_.epsilon, count_, context.gradient_scale};
    moments_.use([&]<class Storage>(const Storage& first, const Storage& second) {
      auto update =
          adamw_row_update<ExecutionSpace>(step, context.learning_rate, context.learning_rate * adam_.weight_decay,
                                           context.rounding, gradient_part_, first, second, weight_part_);
      update.count_as_part(place_of(part_, split_));
      updates.template add<Storage>(update);
    });
  }

  std::optional<WeightShares<ExecutionSpace, Matrix>> weight_shares() const override {
    if (!split_.is_split()) return {};
    return WeightShares<ExecutionSpace, Matrix>{weight_, Side::columns, true, {}, static_cast<int>(split_.share)};
  }

  std::size_t refresh_elements() const override { return 0; }

  void visit_state(StateVisitor<ExecutionSpace, Value>& visitor) override {
    moments_.visit_state(visitor, split_, rank_, static_cast<std::size_t>(info_.rows),
                         static_cast<std::size_t>(info_.columns));
    visitor.visit("count", count_);
  }

 private:
  ParameterInfo info_;
  Matrix weight_;
  GradientMatrix gradient_;
  int rank_;
  MatrixSplit split_;  ///< of the weight, and of all that is as large
  MatrixPart part_;    ///< that this rank updates
  Matrix weight_part_;
  GradientMatrix gradient_part_;  ///< summed over ranks
  MomentPair<ExecutionSpace, Value> moments_;
  AdamConstants adam_;
  std::int64_t count_ = 0;
  bool has_parts_ = false;
};

}  // namespace Sward
