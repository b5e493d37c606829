// Key paths such as "layout.tensor" and "links[2].bandwidth".
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace orrery {

// Steps of names or indices, none empty: a.b, a[0].b, a.0.b.
bool is_path(std::string_view path);
// Takes the first step off a path: "links[2].bandwidth" → "links", "2", "bandwidth", "".
std::string_view next_path_step(std::string_view& path);
// "layout" and "tensor" → "layout.tensor"; "" and "layout" → "layout".
std::string child_path(const std::string& path, std::string_view key);
// The item of a sequence of `size` that a step such as "2" means; `size` if none.
std::size_t path_index(std::string_view step, std::size_t size);

}  // namespace orrery
