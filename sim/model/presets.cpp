#include "orrery/model/presets.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "orrery/core/data_files.hpp"

namespace orrery::model {
namespace {

constexpr DataCollection kModels{"ORRERY_SCENARIOS", "scenarios", "models", "model"};
template <class Wrong>
void complete_experts(ModelChoice& m, const Wrong& wrong) {
  Experts& e = m.experts;
  if (e.hidden == 0) e.hidden = m.ffn_hidden;
  if (e.shared_hidden == 0) e.shared_hidden = e.shared * e.hidden;
  if (e.shared == 0 && e.shared_hidden > 0) e.shared = 1;
  if (e.top_k < 1 || e.top_k > e.count)
    wrong("experts", fmt::format("a token goes to {} of {} experts", e.top_k, e.count),
          fmt::format("say experts.top_k, from 1 to {}", e.count));
  if (e.count % e.groups != 0 || e.top_groups > e.groups)
    wrong("experts",
          fmt::format("{} experts in {} groups, of which the best {} are taken", e.count, e.groups, e.top_groups),
          "groups must divide count, and top_groups be at most groups");
  if (e.first_dense >= m.layers)
    wrong("experts", fmt::format("none of the {} layers has experts behind the first {}", m.layers, e.first_dense),
          "choose experts.first_dense below the number of layers");
}

// What is of one kind of model, or is not described of it.
template <class Wrong>
void check_kind(const ModelChoice& m, const Wrong& wrong) {
  const bool encoder = m.kind == ModelKind::encoder;
  const auto only_of = [&](const char* key, bool said, bool there, const char* kind) {
    if (said && !there)
      wrong(key, fmt::format("is of kind {} alone", kind), fmt::format("say kind: {}, or leave it out", kind));
  };
  only_of("encoder_layers", m.encoder_layers > 0, m.has_two_stacks(), "encoder_decoder");
  only_of("token_types", m.token_types > 0, encoder, "encoder");
  only_of("head_transform", m.head_transform, encoder, "encoder");
  only_of("pooler", m.pooler, encoder, "encoder");
  if (m.has_two_stacks() && (m.encoder_layers < 1 || m.encoder_layers >= m.layers))
    wrong("encoder_layers", fmt::format("{} of {} layers are the encoder's", m.encoder_layers, m.layers),
          fmt::format("say encoder_layers, from 1 to {}: `layers` counts those of both", m.layers - 1));
  if (m.position == Position::relative_bias && m.position_buckets == 0)
    wrong("position_buckets", "a relative bias needs the number of its buckets", "T5 has 32");
  if (m.position != Position::relative_bias && m.position_buckets > 0)
    wrong("position_buckets", "is of position relative_bias alone", "say position: relative_bias, or leave it out");
  if (m.kind == ModelKind::decoder) return;
  const auto not_of = [&](const char* key, bool said) {
    if (said) wrong(key, "is described of decoders alone", "leave it out, or say kind: decoder");
  };
  not_of("attention_window", m.attention_window > 0);
  not_of("prediction_layers", m.prediction_layers > 0);
  not_of("latent_attention", m.latent());
  not_of("parallel", m.parallel != Parallel::none);
}

// Fills what follows from other figures, and says what is missing or does not fit.
Diagnostics complete(ModelChoice& m, const YamlTree& tree, NodeId node, const std::string& path) {
  Diagnostics errors;
  const auto wrong = [&](const char* key, std::string message, std::string help = {}) {
    const NodeId at = tree.find(node, key);
    errors.push_back(
        tree.at(at == kNoNode ? node : at, path.empty() ? key : path + "." + key, std::move(message), std::move(help)));
  };
  const std::pair<const char*, std::int64_t> needed[] = {
      {"layers", m.layers}, {"hidden", m.hidden}, {"heads", m.heads}, {"vocab", m.vocab}};
  for (const auto& [key, value] : needed)
    if (value == 0) wrong(key, "at least 1 is needed", "name a preset with `type`, or give every figure");
  if (!errors.empty()) return errors;
  if (m.kv_heads == 0) m.kv_heads = m.heads;
  if (m.latent()) m.head_dim = m.dim_per_head(), m.kv_heads = m.heads;
  if (m.ffn_hidden == 0) m.ffn_hidden = 4 * m.hidden;
  if (m.has_two_stacks() && m.encoder_layers == 0) m.encoder_layers = m.layers / 2;
  if (m.head_dim == 0 && m.hidden % m.heads != 0)
    wrong("heads", fmt::format("hidden {} is no multiple of {} heads, and head_dim is not given", m.hidden, m.heads));
  else if (m.head_dim == 0)
    m.head_dim = m.hidden / m.heads;
  if (m.heads % m.kv_heads != 0)
    wrong("kv_heads", fmt::format("{} heads cannot share {} key/value heads evenly", m.heads, m.kv_heads));
  if (m.position == Position::learned && m.max_positions == 0)
    wrong("max_positions", "learned positions need the number of rows of their table");
  if (m.experts.count > 0) complete_experts(m, wrong);
  check_kind(m, wrong);
  return errors;
}

// A model of our own is YAML.
bool is_hugging_face(const std::string& file) {
  return std::filesystem::path(file).extension() == ".json";
}

constexpr int kDeepest = 8;  // files that build on files

Result<ModelChoice> load_model(const std::string& name, int depth, Catalogue& catalogue);

NodeId type_of(const YamlTree& tree, NodeId node) {
  return tree[node].kind == NodeKind::scalar ? node : tree.find(node, "type");
}

Result<ModelChoice> base_of(const YamlTree& tree, NodeId node, const std::string& path, const ModelChoice& said,
                            int depth, Catalogue& catalogue) {
  if (!said.type.empty() && !said.from.empty())
    return tree.at(tree.find(node, "from"), path + ".from", "give either `type` or `from`, not both");
  if (said.type.empty() && said.from.empty()) return ModelChoice{};
  if (depth == kDeepest)
    return tree.at(tree.find(node, "type"), path + ".type", "models that build on one another in a circle");
  Result<ModelChoice> base =
      said.from.empty() ? load_model(said_in(tree, type_of(tree, node), said.type), depth + 1, catalogue)
                        : load_hugging_face((std::filesystem::path(tree.name()).parent_path() / said.from).string());
  if (base || said.type.empty()) return base;
  Diagnostics errors = base.errors();
  for (Diagnostic& d : errors)  // an unknown name is wrong where it is said
    if (d.place.file.empty()) d = tree.at(type_of(tree, node), path, d.message, d.help);
  return errors;
}

// A figure that others follow from is changed: they follow anew unless they are said too.
void unfix_what_follows(ModelChoice& base, const YamlTree& tree, NodeId node) {
  const auto said = [&](const char* key) { return tree.find(node, key) != kNoNode; };
  if (base.heads == 0) return;
  if ((said("hidden") || said("heads")) && base.head_dim * base.heads == base.hidden) base.head_dim = 0;
  if (said("heads") && base.kv_heads == base.heads) base.kv_heads = 0;
  if (said("hidden") && base.ffn_hidden == 4 * base.hidden) base.ffn_hidden = 0;
  if (said("layers") && 2 * base.encoder_layers == base.layers) base.encoder_layers = 0;
  Experts& e = base.experts;
  const NodeId of_experts = tree.find(node, "experts");
  const auto said_of_experts = [&](const char* key) {
    return of_experts != kNoNode && tree.find(of_experts, key) != kNoNode;
  };
  const bool shared_follow = e.shared_hidden == e.shared * e.hidden;
  if (said("ffn_hidden") && e.hidden == base.ffn_hidden) e.hidden = 0;
  if (shared_follow && (e.hidden == 0 || said_of_experts("hidden") || said_of_experts("shared"))) e.shared_hidden = 0;
}

Result<ModelChoice> read_model(const YamlTree& tree, NodeId node, const std::string& path, int depth,
                               Catalogue& catalogue) {
  Result<ModelChoice> said = read(model_fields(), tree, node, path);
  if (!said) return said;
  Result<ModelChoice> base = base_of(tree, node, path, *said, depth, catalogue);
  if (!base) return base;
  ModelChoice model = *base;
  unfix_what_follows(model, tree, node);
  if (Diagnostics errors = read_over(model_fields(), tree, node, path, model); !errors.empty()) return errors;
  if (Diagnostics errors = complete(model, tree, node, path); !errors.empty()) return errors;
  if (!said->type.empty()) model.type = said_in(tree, type_of(tree, node), model.type);
  if (model.name.empty()) model.name = model.type.empty() ? "inline" : model.type;
  return model;
}

Result<ModelChoice> load_model(const std::string& name, int depth, Catalogue& catalogue) {
  const Result<std::string> file = find_data_file(kModels, name);
  if (!file) return file.errors();
  const auto read_file = [&]() -> Result<ModelChoice> {
    if (is_hugging_face(*file)) return load_hugging_face(*file);
    const Result<YamlTree> tree = read_yaml_file(*file);
    if (!tree) return tree.errors();
    Result<ModelChoice> model = read_model(*tree, tree->root(), "", depth, catalogue);
    if (model) model->name = std::filesystem::path(*file).stem().string();
    return model;
  };
  return names_a_file(name) ? read_file() : catalogue.once<ModelChoice>(*file, read_file);
}

}  // namespace

Result<ModelChoice> read_model(const YamlTree& tree, NodeId node, const std::string& path, Catalogue& catalogue) {
  return read_model(tree, node, path, 0, catalogue);
}

Result<ModelChoice> load_model(const std::string& name, Catalogue& catalogue) {
  return load_model(name, 0, catalogue);
}

std::vector<std::string> list_models() {
  return list_data_files(kModels);
}

ModelSpec pad_vocab(const ModelSpec& spec, std::int64_t tensor) {
  ModelSpec padded = spec;
  const std::int64_t multiple = spec.vocab_multiple * tensor;
  if (spec.vocab_multiple > 1) padded.vocab = ceil_div(spec.vocab, multiple) * multiple;
  return padded;
}

}  // namespace orrery::model
