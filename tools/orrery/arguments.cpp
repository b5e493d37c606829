#include "arguments.hpp"

#include <CLI/CLI.hpp>
#include <cstdint>

namespace orrery::cli {

Argument& Argument::required() {
  option_->required();
  return *this;
}
Argument& Argument::one_of(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}
Argument& Argument::range(int least, int most) {
  option_->check(CLI::Range(least, most));
  return *this;
}
Argument& Argument::range(double least, double most) {
  option_->check(CLI::Range(least, most));
  return *this;
}
Argument& Argument::repeated() {
  option_->allow_extra_args(false)->take_all();
  return *this;
}
Argument& Argument::value_optional(const std::string& value) {
  option_->expected(0, 1)->default_str(value);
  return *this;
}
Argument& Argument::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}
Argument& Argument::group(const std::string& name) {
  option_->group(name);
  return *this;
}

template <class T>
Argument Arguments::add_option(const std::string& names, T& into, const std::string& help) {
  return Argument(app_->add_option(names, into, help));
}
template Argument Arguments::add_option(const std::string&, std::string&, const std::string&);
template Argument Arguments::add_option(const std::string&, std::vector<std::string>&, const std::string&);
template Argument Arguments::add_option(const std::string&, int&, const std::string&);
template Argument Arguments::add_option(const std::string&, std::int64_t&, const std::string&);
template Argument Arguments::add_option(const std::string&, double&, const std::string&);

Argument Arguments::add_flag(const std::string& names, bool& into, const std::string& help) {
  return Argument(app_->add_flag(names, into, help));
}

Argument Arguments::add_reader(const std::string& name, const std::function<std::string(const std::string&)>& read,
                               const std::string& help) {
  const auto store = [name, read](const std::string& value) {
    if (const std::string wrong = read(value); !wrong.empty()) throw CLI::ValidationError(name, wrong);
  };
  return Argument(app_->add_option_function<std::string>(name, store, help));
}

void Arguments::footer(const std::string& text) {
  app_->footer(text);
}

}  // namespace orrery::cli
