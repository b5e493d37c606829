// What a step keeps in the memory of the hosts (layout/offload.hpp), and the copies that this takes.
//
//   activations   behind a layer of F, what the backward pass will read of it and F no longer needs goes out; it comes
//                 back a layer ahead of the first step of B (I, W) that reads it
//   weights       fetched a layer ahead in F and B (I), where ZeRO-3 shards them before they are gathered
//   gradients     of the share of the optimizer: behind what reduces them, or where no other rank has a part of them
//                 behind their layer in the last backward pass; where nothing is reduced beside the passes, at the end
//   the update    of that share on the cores of the host, once all gradients are there and the norm is known, in as
//   many
//                 parts as the rank has layers; the weights of each part go back while the next is updated (Ren et al.
//                 2021, ZeRO-Offload, section 5)
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "host_paths.hpp"
#include "orrery/program/offload_book.hpp"
#include "stage_costs.hpp"

namespace orrery::program {

class Offloading {
 public:
  Offloading(const StepInput& input, const Ranks& ranks, StageCosts& stages, Builder& builder);

  const layout::Offload& of() const { return input_.offload; }
  const std::vector<std::int32_t>& classes() const { return paths_.classes(); }
  std::int32_t class_of(std::int32_t rank) const { return classes()[static_cast<std::size_t>(rank)]; }

  // Moves what is kept on the host from Device::resident to Device::on_host.
  void place_states(Device& device) const;
  // Copies of weights and activations that go with the pass, by ascending position.
  std::vector<DataCall> copies(std::int32_t rank, int stage, layout::PassKind kind, int pipe, std::int32_t micro_batch);
  // The gradients of so many parameters of a stage have been summed on the ranks that hold them; none where the share
  // of the optimizer is 0.
  std::optional<DataCall> gradients_out(std::int32_t of_class, std::int64_t parameters, std::uint32_t position,
                                        layout::Parameters of);
  // For the book: of one step of a rank, from the passes of its schedule.
  MovedState moved(std::int32_t rank);
  // Picoseconds that all copies and the update of a rank take one after the other.
  double at_most(std::int32_t rank, std::int64_t micro_batches);
  // Of the parameters that a rank updates, those that its host does.
  std::int64_t updated_on_host(int pipeline_rank, layout::Parameters of) const;
  // The update on the host and the weights' way back, behind `ready`: what all of it has ended with.
  TaskId update(DeviceIndex device, std::int32_t rank, TaskId ready, std::vector<TaskId>& sent, bool sent_in_passes);

 private:
  struct Held {  // tensors that go out behind, or come back before, a step of a pass
    std::uint32_t position = 0;
    std::vector<std::pair<layout::TensorId, std::int64_t>> tensors;
    std::int64_t bytes = 0;
  };
  const std::vector<Held>& held(int stage, layout::PassKind kind);
  std::vector<Held> leaving(int stage);
  std::vector<Held> arriving(int stage, layout::PassKind kind);
  TemplateId copy(std::int32_t of_class, bool to_host, Bytes bytes, const char* name,
                  const std::vector<MemoryEffect>& effects);
  std::int64_t kept_weights(int pipeline_rank, layout::Parameters of) const;
  std::int64_t weights_back(int pipeline_rank) const;
  std::int64_t traffic_of_update() const;

  const StepInput& input_;
  const Ranks& ranks_;
  StageCosts& stages_;
  Builder& builder_;
  HostPaths paths_;
  FetchedWeights fetched_;
  std::map<std::pair<int, layout::PassKind>, std::vector<Held>> held_;
  std::map<std::tuple<std::int32_t, int, layout::PassKind, std::uint32_t, bool>, TemplateId> activations_;
  std::map<std::tuple<std::int32_t, bool, std::int64_t, std::int64_t>, TemplateId> plain_;
  std::map<std::pair<std::int32_t, std::int64_t>, TemplateId> updates_;
};

}  // namespace orrery::program
