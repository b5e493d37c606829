// Kinds of transformer, in words.
#include "orrery/planning/model_kinds.hpp"

#include "answers.hpp"
#include "orrery/model/presets.hpp"

namespace orrery::planning::model_kinds_test {
namespace {

TEST_CASE("each kind says what it is for, how it is trained and what it is named after") {
  const ModelKinds all = value_of(load_model_kinds());
  REQUIRE(all.kinds.size() == 3);
  for (const ModelKind& kind : all.kinds) {
    CAPTURE(kind.name);
    for (const std::string& text : {kind.is, kind.trained, kind.named_after}) CHECK(text.size() > 40);
    CHECK(kind.named_after.find("Vaswani") + kind.named_after.find("that transformer") != std::string::npos);
    CHECK_FALSE(kind.examples.empty());
    CHECK(value_of(model_kind(kind.name)).is == kind.is);
  }
  CHECK(value_of(model_kind("encoder")).trained.find("masked") != std::string::npos);
  CHECK(value_of(model_kind("decoder")).trained.find("next token") != std::string::npos);
  CHECK(value_of(model_kind("encoder_decoder")).trained.find("cross-attention") != std::string::npos);
}

TEST_CASE("an unknown kind is refused with the nearest") {
  CHECK(mistake_of(model_kind("encoder-decoder")).help == "did you mean 'encoder_decoder'?");
  const Diagnostic wrong = mistake_of(model_kind("mamba"));
  CHECK(wrong.path == "--kind");
  CHECK(wrong.message == "'mamba' is not known, allowed are decoder, encoder, encoder_decoder");
}

TEST_CASE("a token meets both stacks of no encoder-decoder") {
  const auto per = [](const char* name) { return flops_per(value_of(model::load_model(name))); };
  CHECK(per("gpt2") == 6);
  CHECK(per("bert-large") == 6);
  CHECK(per("t5-3b") == 3);
  CHECK(std::string(kind_of(value_of(model::load_model("t5-3b")))) == "encoder_decoder");
  CHECK(std::string(kind_of(value_of(model::load_model("bert-large")))) == "encoder");
}

TEST_CASE("every preset is of a kind that is explained") {
  for (const std::string& name : model::list_models()) {
    CAPTURE(name);
    CHECK(model_kind(kind_of(value_of(model::load_model(name)))).ok());
  }
}

}  // namespace
}  // namespace orrery::planning::model_kinds_test
