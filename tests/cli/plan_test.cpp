// orrery plan and orrery fit: what they print, and what they refuse.
#include <nlohmann/json.hpp>

#include "program.hpp"

namespace orrery::testing::plan_test {

namespace {

std::string transcript(std::initializer_list<const char*> commands) {
  std::string text;
  for (const char* command : commands) {
    const Outcome outcome = run_orrery(std::string(command) + " 2>&1");
    text += "$ orrery " + std::string(command) + "\n" + outcome.text + "exit " + std::to_string(outcome.code) + "\n\n";
  }
  return text;
}

}  // namespace

TEST_CASE("the rule of thumb prints what the course notes print") {
  check_golden("tests/cli/golden/rule_of_thumb.txt",
               transcript({"plan --rule-of-thumb --model llama3.1-405b --tokens 15T --gpu a100 --efficiency 0.5",
                           "fit --rule-of-thumb --parameters 20B --gpu-memory 32GB --cpu-memory 32GB --for inference",
                           "fit --rule-of-thumb --parameters 20B --gpu-memory 32GB --cpu-memory 32GB --for fine_tuning",
                           "fit --rule-of-thumb --parameters 1B --for training"}));
}

// Plans search layouts of large clusters: ten minutes under the sanitizers.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSearched = false;
#else
constexpr bool kSearched = true;
#endif

TEST_CASE("a plan from a scenario, a budget, a deadline or a size, and the tables behind it" *
          doctest::skip(!kSearched)) {
  check_golden("tests/cli/golden/plan.txt",
               transcript({"plan --scenario scenarios/quickstart-16gpu.yaml --tokens 133B --mix 51/49 --restarts 5",
                           "plan --budget 3700PFs-day",
                           "plan --budget '$2M' --gpu h100-sxm-80gb --deadline 30d --law hoffmann-3",
                           "plan --parameters 96B --data-quality 5", "plan --table optimal", "plan --table compute",
                           "plan --table sample_efficiency", "plan --table petaflop_day",
                           "plan --budget 3700PFs-day --deadline 30d --mix 51/49",
                           "plan --scenario scenarios/quickstart-16gpu.yaml --tokens 4TB --data-quality 5"}));
  for (const char* asked : {"--budget 3700PFs-day", "--table optimal", "--table compute", "--table sample_efficiency",
                            "--model gpt2 --tokens 26B --cluster dgx-a100 --gpus 8,16,32"})
    CHECK(run_orrery(std::string("plan --plot - ") + asked).text.starts_with("<svg "));
}

TEST_CASE("pictures and pages of plans and fits: a wrong question is refused, whatever is to be drawn of it") {
  const Outcome no = run_orrery("plan --plot - --budget 3700GFs-day 2>&1");
  CHECK(no.code == 2);
  CHECK(no.text.find("neither compute nor money") != std::string::npos);
  const std::string fit = "fit --parameters 20B --gpu v100-sxm-32gb --precision fp16 --for ";
  const Outcome drawn = run_orrery(fit + "training --plot -");
  CHECK(drawn.code == 1);  // it does not fit
  CHECK(drawn.text.starts_with("<svg "));
  CHECK(run_orrery(fit + "quantum --plot - 2>&1").code == 2);
  const Outcome page =
      run_in("plan_page", kOrrery + "plan --budget 3700PFs-day --report p.html >/dev/null; head -c 15 p.html; " +
                              kOrrery + "plan --budget 3700PFs-day --report p.html");
  CHECK(page.text.find("<!doctype html>") != std::string::npos);
  CHECK(page.text.find("p.html: exists already") != std::string::npos);
}

TEST_CASE("fit says what a GPU holds, and which layouts fit") {
  check_golden("tests/cli/golden/fit.txt",
               transcript({"fit --parameters 20B --gpu v100-sxm-32gb --precision fp16 --for training",
                           "fit --parameters 20B --gpu v100-sxm-32gb --cpu-memory 32GB --for inference",
                           "fit --model gpt3-2.7b --gpu a100-sxm-40gb --micro-batch 4 --for training",
                           "fit --model gpt2 --gpu h100-sxm-80gb --for fine_tuning"}));
}

TEST_CASE("explain draws the 16 GPUs of the quickstart, and of many the ends") {
  check_golden("tests/cli/golden/explain.txt", transcript({"explain scenarios/quickstart-16gpu.yaml",
                                                           "explain scenarios/llama3-405b-16384xh100.yaml --layout",
                                                           "explain scenarios/mpt-7b-fsdp-8xa100.yaml"}));
  const auto json = nlohmann::json::parse(run_orrery("explain scenarios/llama3-405b-16384xh100.yaml --json").text);
  CHECK(json["ranks"].size() == 16384);
  CHECK(json["ranks"][16383]["layers"] == json["ranks"][15360]["layers"]);
}

TEST_CASE("the glossary has a sentence for a word in any spelling, and the figure of a run") {
  CHECK(run_orrery("glossary ZeRO-3").text.starts_with("zero\n"));
  CHECK(run_orrery("glossary Micro_Batch scenarios/quickstart-8gpu.yaml").text.starts_with("micro-batch: "));
  CHECK(run_orrery("glossary mfuu 2>&1").text == "TERM: 'mfuu' is not in the glossary\n  help: did you mean 'mfu'?\n");
  CHECK(run_orrery("glossary mfuu 2>&1").code == 2);
  const auto json = nlohmann::json::parse(run_orrery("glossary --json").text);
  for (const auto& [key, value] : json.items())
    if (key != "schema" && key != "title" && key != "notes") CHECK(value["is"].get<std::string>().size() > 20);
  for (const char* word : {"mfu", "hfu", "bubble", "inflight", "reserved", "zero", "stack"}) CHECK(json.contains(word));
  // What a term of the file names as its figure, there is.
  const auto run = nlohmann::json::parse(run_orrery("glossary scenarios/quickstart-8gpu.yaml --json").text);
  int figures = 0;
  for (const auto& value : run) figures += value.is_object() && value.contains("figure") ? 1 : 0;
  CHECK(figures == 29);
}

TEST_CASE("mistakes in plans are refused with a remedy") {
  check_golden("tests/cli/golden/plan_errors.txt",
               transcript({"plan --tokens 15T --model llama3.1-405b",
                           "plan",
                           "plan --budget 2M",
                           "plan --budget '$2M'",
                           "plan --budget '$2M' --gpu mi355x",
                           "plan --budget '$2M' --gpu h100",
                           "plan --budget 3700PFs-day --gpu a100-sxm-80gb --gpus 8 --deadline 30d",
                           "plan --budget 3700PFs-day --law kaplan2",
                           "plan --deadline 30",
                           "plan --deadline 30d --gpu a100-sxm-80gb",
                           "plan --table best",
                           "plan --table petaflop_day --plot x.svg",
                           "plan --model gpt3-1.3b --tokens 26B --cluster dgx-a100 --gpus 4096",
                           "plan --model gpt3-1.3b --tokens 26B --cluster dgx-a101 --gpus 8",
                           "plan --model gpt3-1.3b --tokens 26B --cluster dgx-a100 --gpus 8,x",
                           "plan --scenario scenarios/quickstart-16gpu.yaml --tokens 133B --deadline 1d",
                           "plan --scenario scenarios/quickstart-16gpu.yaml --tokens 133B --mix 51/50",
                           "plan --scenario scenarios/quickstart-16gpu.yaml",
                           "plan --scenario scenarios/quickstart-8gpu.yaml --tokens 1B --play 10",
                           "plan --scenario scenarios/bloom-176b-384xa100.yaml --tokens 1B --restarts 4",
                           "plan --scenario scenarios/bloom-176b-384xa100.yaml --tokens 1B --set "
                           "reliability.failures.0.per_gpu_year=1000000 --set reliability.checkpoint.interval=90d",
                           "fit --parameters 20B --for training",
                           "fit --gpu t4 --for training",
                           "fit --parameters 20B --gpu t4 --for training --precision int8",
                           "fit --parameters 20B --gpu t4 --for training --precision fp17",
                           "fit --parameters 20B --gpu t5 --for training",
                           "plan --rule-of-thumb --model llama3.1-405b --tokens 15 --gpu a100",
                           "plan --rule-of-thumb --model llama3.1-405b --tokens 15T --gpu h100",
                           "plan --rule-of-thumb --model llama3.1-405 --tokens 15T --gpu a100",
                           "plan --rule-of-thumb --model llama3.1-405b --tokens 15T --gpu a100 --efficiency 1.5",
                           "plan --rule-of-thumb --parameters 0 --tokens 15T --gpu a100",
                           "plan --rule-of-thumb --parameters 20b --tokens 15T --gpu a100",
                           "plan --rule-of-thumb --parameters 20B",
                           "fit --rule-of-thumb --parameters 20B --gpu-memory 32GB",
                           "fit --rule-of-thumb --parameters 20B --gpu-memory 32 --for inference",
                           "fit --rule-of-thumb --parameters 20B --for training --precision fp16",
                           "fit --rule-of-thumb --parameters 20B --cpu-memory 32GB --for inference",
                           "fit --model gpt2 --parameters 1B --gpu t4 --for training",
                           "fit --parameters 1B --gpu t4 --for training --price 0"}));
}

TEST_CASE("options that the question asked knows nothing of are refused, and figures that cannot be") {
  check_golden("tests/cli/golden/plan_places.txt",
               transcript({"plan --table optimal --tokens 15T --law kaplan",
                           "plan --table optimal --rule-of-thumb",
                           "plan --rule-of-thumb --model gpt2 --tokens 15T --gpu a100 --budget 3700PFs-day",
                           "plan --rule-of-thumb --model gpt2 --tokens 15T --gpu a100 --price 2",
                           "plan --scenario scenarios/quickstart-16gpu.yaml --tokens 15T --model gpt2",
                           "plan --scenario scenarios/quickstart-16gpu.yaml --tokens 15T --cluster dgx-h100",
                           "plan --model gpt2 --tokens 15T --cluster dgx-h100 --budget '$2M'",
                           "plan --model gpt2 --tokens 15T --cluster dgx-h100 --set layout.tensor=2",
                           "plan --budget 3700PFs-day --tokens 15T",
                           "plan --budget 3700PFs-day --model gpt2",
                           "plan --budget 3700PFs-day --cluster dgx-h100",
                           "plan --budget 3700PFs-day --gpus 8",
                           "plan --budget 3700PFs-day --power 400",
                           "plan --model gpt2 --parameters 1B",
                           "plan --rule-of-thumb --model gpt2 --tokens 15T --gpu a100 --efficiency 0",
                           "plan --scenario scenarios/quickstart-16gpu.yaml --tokens 15T --price 0",
                           "plan --scenario scenarios/quickstart-16gpu.yaml --tokens 15T --preparation soon",
                           "plan --model gpt2 --tokens 1B --cluster dgx-h100 --gpus 0",
                           "plan --model gpt2 --tokens 1B --cluster dgx-h100 --batch-tokens 4m",
                           "fit --rule-of-thumb --parameters 20B --gpu t4 --for inference",
                           "fit --parameters 20B --gpu t4 --gpu-memory 32GB --for inference",
                           "list models --kind mamba",
                           "list gpus --kind decoder"}));
}

TEST_CASE("a kind of model is what it is for, how it is trained, what it is named after, and its models") {
  check_golden("tests/cli/golden/list_kinds.txt",
               transcript({"list models --kind encoder", "list models --kind encoder_decoder"}));
  const Outcome decoders = run_orrery("list models --kind decoder");
  CHECK(decoders.code == 0);
  CHECK(decoders.text.find("Named after: The decoder half") != std::string::npos);
  CHECK(decoders.text.find("llama3.1-405b") != std::string::npos);
  const auto json = nlohmann::json::parse(run_orrery("list models --kind encoder --json").text);
  CHECK(json["kind"]["name"] == "encoder");
  CHECK(json["models"].is_array());
}

TEST_CASE("the JSON of a plan has the figures of its text") {
  const Outcome outcome =
      run_orrery("plan --rule-of-thumb --model llama3.1-405b --tokens 15T --gpu a100 --efficiency 0.5 --json");
  CHECK(outcome.code == 0);
  const auto json = nlohmann::json::parse(outcome.text);
  CHECK(json["schema"] == "orrery.plan/1");
  CHECK(json["notes"].is_array());
  CHECK(json["six_n_d"]["flops"] == doctest::Approx(3.645e25));
  CHECK(json["parameters"] == doctest::Approx(405e9));
}

}  // namespace orrery::testing::plan_test
