// Figures that follow from others in a model said inline or over a preset, and those that do not fit together.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "orrery/model/presets.hpp"

namespace orrery::model::complete_test {

namespace {

Result<ModelChoice> said(const std::string& keys) {
  const auto tree = read_yaml_text("model: {" + keys + "}", "s.yaml");
  REQUIRE_MESSAGE(tree.ok(), render(tree.errors()));
  return read_model(*tree, tree->find(tree->root(), "model"));
}

// All errors with their paths, places and remedies, without the excerpts.
std::string wrong(const std::string& keys) {
  const auto m = said(keys);
  if (m.ok()) return "fine";
  std::string all;
  for (Diagnostic d : m.errors()) {
    d.source_line.clear();
    all += render(d);
  }
  return all;
}

std::string experts(const std::string& keys) {
  const auto m = said(keys);
  REQUIRE_MESSAGE(m.ok(), render(m.errors()));
  const Experts& e = m->experts;
  return fmt::format("{}/{} of {}, {} shared of {}", e.top_k, e.count, e.hidden, e.shared, e.shared_hidden);
}

const std::string kSmall = "layers: 4, hidden: 64, heads: 4, vocab: 128, position: rotary";

}  // namespace

TEST_CASE("what is not said follows: heads, width of a head, of the MLP") {
  auto m = said(kSmall);
  REQUIRE(m.ok());
  CHECK(m->kv_heads == 4);
  CHECK(m->head_dim == 16);
  CHECK(m->ffn_hidden == 256);
  CHECK(m->name == "inline");
  m = said(kSmall + ", kv_heads: 2, head_dim: 10, ffn_hidden: 96");
  REQUIRE(m.ok());
  CHECK(m->kv_heads == 2);
  CHECK(m->head_dim == 10);
  CHECK(m->ffn_hidden == 96);
  // Of a latent: each head has its key, of both parts.
  m = said(kSmall + ", kv_heads: 2, latent_attention: {key_value_rank: 24, nope_dim: 12, rope_dim: 8, value_dim: 10}");
  REQUIRE(m.ok());
  CHECK(m->kv_heads == 4);
  CHECK(m->head_dim == 20);
}

TEST_CASE("each figure that is needed and missing, all at once") {
  const std::string needed = ": at least 1 is needed\n  help: name a preset with `type`, or give every figure\n";
  CHECK(wrong("layers: 4, hidden: 0") ==
        "s.yaml:1:28: model.hidden" + needed + "s.yaml:1:8: model.heads" + needed + "s.yaml:1:8: model.vocab" + needed);
  CHECK(wrong("hidden: 64, heads: 4, vocab: 128") == "s.yaml:1:8: model.layers" + needed);
}

TEST_CASE("figures that do not fit each other, each with its place") {
  CHECK(wrong("layers: 4, hidden: 64, heads: 5, vocab: 128, position: rotary") ==
        "s.yaml:1:39: model.heads: hidden 64 is no multiple of 5 heads, and head_dim is not given\n");
  CHECK(wrong("layers: 4, hidden: 64, heads: 5, vocab: 128, position: rotary, head_dim: 16") == "fine");
  CHECK(wrong(kSmall + ", kv_heads: 3") ==
        "s.yaml:1:82: model.kv_heads: 4 heads cannot share 3 key/value heads evenly\n");
  CHECK(wrong("layers: 4, hidden: 64, heads: 4, vocab: 128") ==
        "s.yaml:1:8: model.max_positions: learned positions need the number of rows of their table\n");
  CHECK(wrong("layers: 4, hidden: 64, heads: 4, vocab: 128, max_positions: 1") == "fine");
  CHECK(wrong("type: gpt2, from: config.json") == "s.yaml:1:27: model.from: give either `type` or `from`, not both\n");
}

TEST_CASE("experts: what follows, and what does not fit") {
  CHECK(experts(kSmall + ", experts: {count: 8, top_k: 2}") == "2/8 of 256, 0 shared of 0");
  CHECK(experts(kSmall + ", experts: {count: 8, top_k: 8, hidden: 32}") == "8/8 of 32, 0 shared of 0");
  CHECK(experts(kSmall + ", experts: {count: 8, top_k: 1, hidden: 32, shared: 3}") == "1/8 of 32, 3 shared of 96");
  CHECK(experts(kSmall + ", experts: {count: 8, top_k: 1, shared_hidden: 50}") == "1/8 of 256, 1 shared of 50");
  CHECK(experts(kSmall + ", experts: {count: 8, top_k: 1, shared: 2, shared_hidden: 50}") ==
        "1/8 of 256, 2 shared of 50");
  for (const int k : {0, 9})
    CHECK(wrong(fmt::format("{}, experts: {{count: 8, top_k: {}}}", kSmall, k)) ==
          fmt::format("s.yaml:1:81: model.experts: a token goes to {} of 8 experts\n"
                      "  help: say experts.top_k, from 1 to 8\n",
                      k));
  const std::string groups = "\n  help: groups must divide count, and top_groups be at most groups\n";
  CHECK(wrong(kSmall + ", experts: {count: 8, top_k: 2, groups: 3}") ==
        "s.yaml:1:81: model.experts: 8 experts in 3 groups, of which the best 1 are taken" + groups);
  CHECK(wrong(kSmall + ", experts: {count: 8, top_k: 2, groups: 2, top_groups: 3}") ==
        "s.yaml:1:81: model.experts: 8 experts in 2 groups, of which the best 3 are taken" + groups);
  CHECK(wrong(kSmall + ", experts: {count: 8, top_k: 2, groups: 8, top_groups: 8, first_dense: 3}") == "fine");
  CHECK(wrong(kSmall + ", experts: {count: 8, top_k: 2, first_dense: 4}") ==
        "s.yaml:1:81: model.experts: none of the 4 layers has experts behind the first 4\n"
        "  help: choose experts.first_dense below the number of layers\n");
  CHECK(wrong(kSmall + ", experts: {top_k: 2}") == "fine");  // no experts: nothing to fit
}

TEST_CASE("over a preset, what followed from a figure that is changed follows anew, unless it is said or was its own") {
  // gpt2: hidden 768, 12 heads of 64, an MLP of 4 · 768.
  auto m = said("type: gpt2, heads: 6");
  REQUIRE(m.ok());
  CHECK(m->kv_heads == 6);
  CHECK(m->head_dim == 128);
  m = said("type: gpt2, hidden: 1536, ffn_hidden: 3072, head_dim: 64");
  REQUIRE(m.ok());
  CHECK(m->ffn_hidden == 3072);
  CHECK(m->head_dim == 64);
  CHECK(m->heads == 12);
  // llama2-70b: hidden 8192, 64 heads of 128, 8 key/value heads, an MLP of 28672.
  m = said("type: llama2-70b, hidden: 4096, heads: 32");
  REQUIRE(m.ok());
  CHECK(m->kv_heads == 8);
  CHECK(m->head_dim == 128);
  CHECK(m->ffn_hidden == 28672);  // not four times the width: its own
  m = said("type: llama2-70b, heads: 32");
  REQUIRE(m.ok());
  CHECK(m->head_dim == 256);
  m = said("type: llama2-70b, layers: 3");
  REQUIRE(m.ok());
  CHECK(m->head_dim == 128);
  CHECK(m->name == "llama2-70b");
}

TEST_CASE("experts over a preset") {
  // mixtral-8x7b: 8 experts of 14336, as wide as its MLP; deepseek-v3: 256 of 2048 and one shared of 2048.
  CHECK(experts("type: mixtral-8x7b, ffn_hidden: 1024") == "2/8 of 1024, 0 shared of 0");
  CHECK(experts("type: mixtral-8x7b, ffn_hidden: 1024, experts: {hidden: 512}") == "2/8 of 512, 0 shared of 0");
  CHECK(experts("type: deepseek-v3, ffn_hidden: 1024") == "8/256 of 2048, 1 shared of 2048");
  CHECK(experts("type: deepseek-v3, experts: {shared: 2}") == "8/256 of 2048, 2 shared of 4096");
  CHECK(experts("type: deepseek-v3, experts: {hidden: 1000}") == "8/256 of 1000, 1 shared of 1000");
  CHECK(experts("type: deepseek-v3, experts: {shared: 2, shared_hidden: 9}") == "8/256 of 2048, 2 shared of 9");
}

TEST_CASE("an unknown preset is wrong where it is said") {
  CHECK(wrong("type: gpt-2x, layers: 3").starts_with("s.yaml:1:15: model: unknown model 'gpt-2x'; known: "));
  const auto m = read_yaml_text("model: {type: nowhere/model.yaml}", "dir/s.yaml");
  const auto missing = read_model(*m, m->find(m->root(), "model"));
  REQUIRE(!missing.ok());
  CHECK(render(missing.errors()) == "dir/nowhere/model.yaml: cannot be opened: No such file or directory\n");
}

TEST_CASE("the vocabulary is padded to a multiple of the ranks, up, and not where it is one") {
  ModelSpec m;
  m.vocab = 1000, m.vocab_multiple = 128;
  CHECK(pad_vocab(m, 1).vocab == 1024);
  CHECK(pad_vocab(m, 2).vocab == 1024);
  CHECK(pad_vocab(m, 3).vocab == 1152);  // 3 · 384
  CHECK(pad_vocab(m, 16).vocab == 2048);
  m.vocab = 1024;
  CHECK(pad_vocab(m, 8).vocab == 1024);
  m.vocab_multiple = 1;
  CHECK(pad_vocab(m, 3).vocab == 1024);
}

}  // namespace orrery::model::complete_test
