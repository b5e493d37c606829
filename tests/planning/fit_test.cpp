// Bytes by class, sharding and what would make a model fit, on a GPU of round numbers.
#include "orrery/planning/fit.hpp"

#include <set>

#include "answers.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "planning/fit_ways.hpp"
#include "scenario/parts.hpp"
#include "sweep/evaluate.hpp"

namespace orrery::planning::fit_test {
namespace {

// 40 GB to be had, 2 dollars an hour.
hardware::Gpu round_gpu() {
  hardware::Gpu gpu;
  gpu.name = "round";
  gpu.usable_memory = {41'000'000'000};
  gpu.context_memory = {1'000'000'000};
  gpu.price_usd_per_hour = 2;
  return gpu;
}

FitQuestion asked(double parameters, Purpose purpose, const char* precision = "bf16") {
  FitQuestion q;
  q.parameters = parameters;
  q.gpu = round_gpu();
  q.purpose = purpose;
  q.precision = precision;
  return q;
}

Answer answer_to(const FitQuestion& question) {
  return value_of(fit_model(question));
}

TEST_CASE("training takes 18 bytes a parameter in 16 bits, 16 in fp32 without activations") {
  // 2 of weights, 4 of gradients, 12 of master copy and moments; fp32: 4 + 4 + 8.
  const Answer half = answer_to(asked(1e9, Purpose::training));
  CHECK(number(half, "weights_bytes") == 2e9);
  CHECK(number(half, "gradients_bytes") == 4e9);
  CHECK(number(half, "optimizer_bytes") == 12e9);
  CHECK(number(half, "total_bytes") == 18e9);
  CHECK(figure(half, "total_bytes").text == "18.00 GB");
  CHECK(says(half, "16 bytes a parameter in place of 18"));
  const Answer full = answer_to(asked(1e9, Purpose::training, "fp32"));
  CHECK(number(full, "total_bytes") == 16e9);
  CHECK(says(full, "24 in all, 24.00 GB"));
  // fp8 trains with 16-bit weights beside; fine-tuning all parameters is training.
  CHECK(number(answer_to(asked(1e9, Purpose::training, "fp8")), "total_bytes") == 18e9);
  CHECK(number(answer_to(asked(1e9, Purpose::fine_tuning)), "total_bytes") == 18e9);
}

// 41 GB less 1 GB of context, and of training less the 4 GiB that the libraries of BLOOM's stack hold outside.
TEST_CASE("what the libraries of a stack hold outside of the allocator is nobody's to fill") {
  FitQuestion q = asked(2.1e9, Purpose::training);  // 37.8 GB
  CHECK(number(answer_to(q), "usable_bytes") == 40e9);
  CHECK(answer_to(q).yes);
  q.stack = "megatron-deepspeed-2022";
  CHECK(number(answer_to(q), "usable_bytes") == 40e9 - 4 * 1024.0 * 1024 * 1024);
  CHECK_FALSE(answer_to(q).yes);
  const auto tree = read_yaml_text(
      scenario_of(
          {.model = "gpt3-125m", .gpu = *hardware::load_gpu("a100-sxm-80gb"), .stack = "megatron-deepspeed-2022"}, {},
          Catalogue::shared()),
      "fit");
  CHECK(scenario::read_parts(*tree, Catalogue::shared())->stack.libraries.outside.value == std::int64_t{4} << 30);
  q.purpose = Purpose::inference;
  CHECK(number(answer_to(q), "usable_bytes") == 40e9);
  q.purpose = Purpose::training, q.stack = "megatron-1999";
  CHECK_FALSE(fit_model(q).ok());
}

TEST_CASE("inference holds weights alone, of as many bytes as the format has") {
  CHECK(number(answer_to(asked(1e9, Purpose::inference, "fp32")), "total_bytes") == 4e9);
  CHECK(number(answer_to(asked(1e9, Purpose::inference, "fp16")), "total_bytes") == 2e9);
  CHECK(number(answer_to(asked(1e9, Purpose::inference, "int8")), "total_bytes") == 1e9);
  const Answer answer = answer_to(asked(1e9, Purpose::inference));
  CHECK_FALSE(has_figure(answer, "gradients_bytes"));
  CHECK(says(answer, "keys and values"));
  CHECK(find_table(answer, "strategies") == nullptr);
}

TEST_CASE("number formats have their bits, exponents and fractions, and save against fp32 what they are shorter") {
  const Answer answer = answer_to(asked(8e9, Purpose::inference));
  const AnswerTable& formats = table(answer, "formats");
  struct Expected {
    const char* name;
    int bits, exponent, fraction;
  };
  // Sign, exponent and fraction make the bits; int8 has no exponent.
  for (const Expected& e : {Expected{"fp32", 32, 8, 23},
                            {"fp16", 16, 5, 10},
                            {"bf16", 16, 8, 7},
                            {"fp8 (E4M3)", 8, 4, 3},
                            {"fp8 (E5M2)", 8, 5, 2},
                            {"int8", 8, 0, 7}}) {
    CAPTURE(e.name);
    CHECK(number(cell_of(formats, e.name, "bits").value) == e.bits);
    CHECK(number(cell_of(formats, e.name, "exponent_bits").value) == e.exponent);
    CHECK(number(cell_of(formats, e.name, "fraction_bits").value) == e.fraction);
    CHECK(1 + e.exponent + e.fraction == e.bits);
    CHECK(number(cell_of(formats, e.name, "bytes").value) == e.bits / 8);
    CHECK(number(cell_of(formats, e.name, "weights_bytes").value) == 8e9 * e.bits / 8);
    CHECK(number(cell_of(formats, e.name, "saved").value) == 1 - e.bits / 32.0);
  }
  CHECK(formats.rows.size() == 6);
  CHECK(cell_of(formats, "int8", "saved").text == "75 %");
}

TEST_CASE("on one GPU, with CPU memory as second tier, or not") {
  // 40 GB hold 20 B parameters of 2 bytes to the byte.
  const Answer just = answer_to(asked(20e9, Purpose::inference));
  CHECK(figure(just, "answer").text == "on one GPU");
  CHECK(just.yes);
  CHECK(number(just, "gpus_that_hold_it") == 1);
  CHECK(find_table(just, "changes") == nullptr);
  // 30 B are 60 GB: 20 GB beside, 0.8 s over 25 GB/s, 1 s over 20.
  FitQuestion more = asked(30e9, Purpose::inference);
  more.cpu_memory = {20'000'000'000};
  const Answer tier = answer_to(more);
  CHECK(figure(tier, "answer").text == "with CPU memory as second tier");
  CHECK(tier.yes);
  CHECK(number(tier, "pcie_seconds_a_pass") == doctest::Approx(0.8));
  CHECK(number(tier, "gpus_that_hold_it") == 2);
  more.pcie_bytes_per_s = 20e9;
  CHECK(number(answer_to(more), "pcie_seconds_a_pass") == doctest::Approx(1.0));
  more.cpu_memory = {19'999'999'999};
  const Answer none = answer_to(more);
  CHECK(figure(none, "answer").text == "not on one GPU");
  CHECK_FALSE(none.yes);
  CHECK_FALSE(has_figure(none, "pcie_seconds_a_pass"));
}

TEST_CASE("DDP, ZeRO-1 to 3 and FSDP hold and send by their formulas") {
  // 10 B over 8 GPUs. Held: 18; 2 + 4 + 12/8 = 7.5; 2 + 16/8 = 4; 18/8 = 2.25 bytes a parameter.
  // Sent by a ring, 7/8 of: twice the gradients 8; gradients and weights 6; the same; gradients and twice the
  // weights 8.
  const Answer answer = answer_to(asked(10e9, Purpose::training));
  const AnswerTable& t = table(answer, "strategies");
  const auto held = [&](const char* name) { return number(cell_of(t, name, "gpu_bytes").value); };
  const auto sent = [&](const char* name) { return number(cell_of(t, name, "sent_bytes").value); };
  CHECK(held("DDP") == 180e9);
  CHECK(held("ZeRO-1") == 75e9);
  CHECK(held("ZeRO-2") == 40e9);
  CHECK(held("ZeRO-3, FSDP") == 22.5e9);
  CHECK(sent("DDP") == 70e9);
  CHECK(sent("ZeRO-1") == 52.5e9);
  CHECK(sent("ZeRO-2") == 52.5e9);
  CHECK(sent("ZeRO-3, FSDP") == 70e9);
  CHECK(cell_of(t, "ZeRO-1", "fits").text == "no");
  CHECK(cell_of(t, "ZeRO-2", "fits").text == "yes");  // 40 of 40
  FitQuestion one = asked(10e9, Purpose::training);
  one.gpus = 1;
  CHECK(number(cell_of(table(answer_to(one), "strategies"), "ZeRO-3, FSDP", "sent_bytes").value) == 0);
}

TEST_CASE("what would make training fit, by bytes: the fewest GPUs of each sharding, cheapest first") {
  // 10 B on 40 GB: 4 bytes a parameter. ZeRO-1 leaves 6 whole: never. ZeRO-2 leaves 2: 16/n ≤ 2, 8 GPUs. ZeRO-3:
  // 18/n ≤ 4, 5 GPUs, as cutting every matrix does.
  const Answer answer = answer_to(asked(10e9, Purpose::training));
  const AnswerTable& t = table(answer, "changes");
  REQUIRE(t.rows.size() == 3);
  CHECK(t.rows[0][0].text == "ZeRO-3, FSDP over 5 GPUs");
  CHECK(t.rows[1][0].text == "tensor × pipeline over 5 GPUs");
  CHECK(t.rows[2][0].text == "ZeRO-2 over 8 GPUs");
  CHECK(number(cell_of(t, "ZeRO-2 over 8 GPUs", "gpus").value) == 8);
  CHECK(number(cell_of(t, "ZeRO-2 over 8 GPUs", "gpu_bytes").value) == 40e9);
  CHECK(number(cell_of(t, "ZeRO-3, FSDP over 5 GPUs", "gpu_bytes").value) == 36e9);
  CHECK(cell_of(t, "ZeRO-2 over 8 GPUs", "usd_per_hour").text == "$16.00");
  CHECK(number(answer, "gpus_that_hold_it") == 5);
  // At 3 dollars; without any price there is no such column.
  FitQuestion q = asked(10e9, Purpose::training);
  q.price_usd_per_hour = 3;
  CHECK(cell_of(table(answer_to(q), "changes"), "ZeRO-2 over 8 GPUs", "usd_per_hour").text == "$24.00");
  q.price_usd_per_hour.reset();
  q.gpu.price_usd_per_hour = 0;
  const Answer unpriced = answer_to(q);
  for (const AnswerColumn& c : table(unpriced, "changes").columns) CHECK(c.key != "usd_per_hour");
}

TEST_CASE("what would make inference fit: fewer bits, CPU memory, more GPUs") {
  // 30 B in fp32 are 120 GB: 16 bits take 60 GB, too much; int8 30 GB; 80 GB beside, 3.2 s a pass; 3 GPUs.
  const AnswerTable t = table(answer_to(asked(30e9, Purpose::inference, "fp32")), "changes");
  REQUIRE(t.rows.size() == 3);
  CHECK(t.rows[0][0].text == "int8");
  CHECK(number(cell_of(t, "int8", "gpu_bytes").value) == 30e9);
  CHECK(cell_of(t, "80.00 GB of CPU memory", "also").text == "3.2 s over PCIe a pass");
  CHECK(number(cell_of(t, "tensor × pipeline over 3 GPUs", "gpu_bytes").value) == 40e9);
  // 15 B in fp32 fit in 16 bits.
  CHECK(table(answer_to(asked(15e9, Purpose::inference, "fp32")), "changes").rows[0][0].text == "fp16 or bf16");
}

TEST_CASE("a precision there is not, or that nothing is trained in, is refused") {
  CHECK(mistake_of(fit_model(asked(1e9, Purpose::training, "fp17"))).message.find("fp32, fp16, bf16, fp8, int8") !=
        std::string::npos);
  CHECK(mistake_of(fit_model(asked(1e9, Purpose::fine_tuning, "int8"))).message == "nothing is trained in int8");
}

FitQuestion small_model() {
  FitQuestion q = asked(0, Purpose::training, "fp16");
  q.model = "gpt2-large";
  q.gpu = value_of(hardware::load_gpu("v100-sxm-16gb"));
  q.sequence_length = 1024;
  q.micro_batch = 4;
  return q;
}

// Whether a way fits, as a sweep plays it.
bool fits(const FitQuestion& q, const Way& way) {
  const auto tree = read_yaml_text(scenario_of(q, way, Catalogue::shared()), "fit");
  REQUIRE(tree.ok());
  const auto s = scenario::read_parts(*tree, Catalogue::shared());
  REQUIRE(s.ok());
  return sweep::Evaluator(Catalogue::shared(), {}).evaluate(*s).status == sweep::Status::ok;
}

TEST_CASE("of a model with layers each way is played with the fewest GPUs on which it fits, the cheapest first") {
  const FitQuestion q = small_model();
  const WaysTried tried = try_ways(q, Catalogue::shared());
  REQUIRE(tried.fitting.size() > 4);
  bool sharded = false, cut = false, staged = false, recomputed = false;
  for (std::size_t i = 0; i < tried.fitting.size(); ++i) {
    const TriedWay& t = tried.fitting[i];
    CHECK(t.fits);
    CHECK(fits(q, t.way));
    if (i > 0) CHECK(t.gpu_hours_per_token() >= tried.fitting[i - 1].gpu_hours_per_token());
    sharded |= t.way.zero == layout::Zero::parameters;
    cut |= t.way.tensor > 1;
    staged |= t.way.pipeline > 1;
    recomputed |= std::string_view(t.way.recompute) == "full";
    // One GPU fewer does not do.
    if (t.way.zero != layout::Zero::none && t.way.gpus > 2 && t.way.gpus <= 8) {
      Way fewer = t.way;
      --fewer.gpus;
      CAPTURE(words_of(t.way, q));
      CHECK_FALSE(fits(q, fewer));
    }
  }
  CHECK(sharded);
  CHECK(cut);
  CHECK(staged);
  CHECK(recomputed);
  CHECK(tried.nearest.size() <= 3);
  for (const TriedWay& t : tried.nearest) CHECK_FALSE(fits(q, t.way));
}

// Of 2 to 7 GPUs each is the fewest of some model.
TEST_CASE("on a node every number of GPUs is tried") {
  FitQuestion q = small_model();
  std::set<int> smallest;
  struct Asked {
    const char *model, *gpu;
    int micro_batch;
  };
  for (const Asked& a : {Asked{"gpt2-xl", "v100-sxm-16gb", 1}, Asked{"gpt3-2.7b", "v100-sxm-32gb", 4},
                         Asked{"gpt3-6.7b", "v100-sxm-16gb", 1}, Asked{"gpt3-2.7b", "v100-sxm-16gb", 1},
                         Asked{"gpt3-6.7b", "v100-sxm-32gb", 2}, Asked{"gpt3-6.7b", "v100-sxm-16gb", 4}}) {
    q.model = a.model, q.micro_batch = a.micro_batch;
    q.gpu = value_of(hardware::load_gpu(a.gpu));
    for (const TriedWay& t : try_ways(q, Catalogue::shared()).fitting)
      if (t.way.zero != layout::Zero::none) smallest.insert(t.way.gpus);
  }
  for (int gpus = 2; gpus <= 7; ++gpus) {
    CAPTURE(gpus);
    CHECK(smallest.contains(gpus));
  }
}

TEST_CASE("the words of a way name what it changes") {
  const FitQuestion q = small_model();
  CHECK(words_of({1, 1, 1, 4, layout::Zero::none, "none"}, q) == "as it is");
  CHECK(words_of({1, 1, 1, 2, layout::Zero::none, "full"}, q) == "micro-batch 2, recompute full");
  CHECK(words_of({16, 8, 2, 4, layout::Zero::none, "none"}, q) == "tensor 8, pipeline 2");
  CHECK(words_of({4, 1, 1, 4, layout::Zero::optimizer, "none"}, q) == "ZeRO-1 over 4");
  CHECK(words_of({4, 1, 1, 4, layout::Zero::parameters, "selective"}, q) == "FSDP 4, recompute selective");
}

TEST_CASE("the answer for a model names the smallest and the cheapest way, and prices a billion tokens") {
  FitQuestion q = small_model();
  q.parameters = 774e6;
  q.price_usd_per_hour = 10;
  const Answer answer = answer_to(q);
  const WaysTried tried = try_ways(q, Catalogue::shared());
  int fewest = 1 << 20;
  for (const TriedWay& t : tried.fitting) fewest = std::min(fewest, t.way.gpus);
  CHECK(number(answer, "smallest_gpus", "simulated") == fewest);
  CHECK(std::get<std::string>(figure(answer, "cheapest_layout", "simulated").value) ==
        words_of(tried.fitting.front().way, q));
  const AnswerTable& t = table(answer, "layouts");
  const std::size_t hours = t.columns.size() - 2, usd = t.columns.size() - 1;
  CHECK(t.columns[hours].key == "gpu_hours_per_billion_tokens");
  // 10⁹ tokens at so many a second and GPU are 10⁹/rate/3600 hours; each costs 10 dollars.
  for (const auto& row : t.rows) {
    if (row[1].text.empty() || row[usd].text == "-") continue;
    CHECK(number(row[hours].value) == doctest::Approx(1e9 / number(row[hours - 1].value) / 3600));
    CHECK(number(row[usd].value) == doctest::Approx(10 * number(row[hours].value)));
  }
}

}  // namespace
}  // namespace orrery::planning::fit_test
