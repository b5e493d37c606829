// Text made safe to show. Names come from files, escapes of YAML and JSON, and the command line; a terminal obeys the
// control characters in them (window titles, the clipboard, lines overwritten) instead of showing them.
#pragma once
#include <string>
#include <string_view>

namespace orrery {

enum class Shown {
  lines,     // line feeds and tabs stay
  coloured,  // so do the colours of our own (ESC [ digits m)
  one_line,  // a name: nothing stays
};

// Control characters become \u001b, as JSON writes them; so do marks that turn the direction of writing and what is no
// character at all (U+FFFE). Bytes that are not UTF-8 become \x9b. Applied twice it changes nothing more.
std::string safe_to_show(std::string_view text, Shown shown = Shown::lines);

// What a text of the user's begins with, up to 40 bytes, and … where it goes on.
std::string in_short(std::string_view text);

}  // namespace orrery
