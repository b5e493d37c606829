"""Where a C++ source can be mutated, by rule, and how: tools/mutate draws from these sites.

A text scanner, no parser: it leans on clang-format's layout (blanks around binary operators, none in template arguments). What it takes
wrongly does not compile, and tools/mutate drops it. Left out by rule: constexpr, templates, enumerations, case labels; and what nothing
can observe: checks of our own invariants (they never fire), reserve().
"""
import collections
import re

Site = collections.namedtuple("Site", "file line kind start end before after")

SWAP = {"+": "-", "-": "+", "*": "/", "/": "*", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&"}
OPEN, CLOSE = "([{", ")]}"
NOT_DROPPED = re.compile(r"(return|using|const|auto|static|constexpr|throw|goto|typedef|struct|class|enum|namespace|template|public|private|"
                         r"extern|friend|check|internal_error|throw_overflow)\b")
DECLARATION = re.compile(r"(?:unsigned |long )*[A-Za-z_][\w:]*(?:<[^;()]*>)?(?:::\w+)*\s*[&*]*\s+[&*]*[A-Za-z_]\w*\s*[=({;,\[]")
ARRAY = re.compile(r"[\w>&*](?<!\breturn)\s+\w+\[$")  # the size of one that is declared


def blank(text, strings):
    """The text without comments and preprocessor lines, and where asked for without what is inside strings; no offset moves."""
    def spaces(match):
        found = match.group(0)
        if found[0] in "\"'R" and not found.startswith("//"):
            return found[0] + re.sub(r"[^\n]", "_", found[1:-1]) + found[-1] if strings else found
        return re.sub(r"[^\n]", " ", found)
    return re.sub(r'//[^\n]*|/\*.*?\*/|\bR"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'|'
                  r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", spaces, text, flags=re.S | re.M)


class Source:
    def __init__(self, name, text):
        self.name, self.text = name, text
        self.code, self.bare = blank(text, False), blank(text, True)
        self.match = self.brackets()
        self.frozen = self.constant_parts()
        self.blocks = {at for at, c in enumerate(self.bare) if c == "{" and self.is_block(at)}

    def brackets(self):
        match, stack = {}, []
        for at, c in enumerate(self.bare):
            if c in OPEN:
                stack.append(at)
            elif c in CLOSE and stack:
                match[at] = stack.pop()
                match[match[at]] = at
        return match

    def end_of(self, at):
        """Behind the statement or definition that `at` is in."""
        while at < len(self.bare):
            c = self.bare[at]
            if c == ";":
                return at + 1
            if c in OPEN:
                closed = self.match.get(at, len(self.bare) - 1)
                if c == "{" and not re.match(r"\s*[;,.)}]", self.bare[closed + 1:]):
                    return closed + 1
                at = closed
            elif c in CLOSE:
                return at
            at += 1
        return at

    def constant_parts(self):
        frozen = bytearray(len(self.bare))
        for found in re.finditer(r"\b(constexpr|consteval|constinit|static_assert|enum)\b", self.bare):
            if not self.bare[:found.start()].endswith("if "):
                end = self.end_of(found.end())
                frozen[found.start():end] = b"\1" * (end - found.start())
        for found in re.finditer(r"(?:\b(?:check|internal_error|throw_overflow)|\.reserve)\(", self.bare):
            end = self.match.get(found.end() - 1, found.end())
            frozen[found.end() - 1:end] = b"\1" * (end - found.end() + 1)
        for found in re.finditer(r"\btemplate <[^;{]*?>\s|\bcase\b[^:;]*(?:::[^:;]*)*:(?!:)|\boperator\S+", self.bare):
            frozen[found.start():found.end()] = b"\1" * (found.end() - found.start())
        return frozen

    def is_block(self, at):
        """Whether a brace opens statements (not a class, a namespace or a list of values)."""
        head = self.bare[:at].rstrip()
        statement = re.split(r"[;{}]", head)[-1]
        if re.search(r"\b(namespace|struct|class|enum|union)\b[^()]*$", statement):
            return False
        if head.endswith((")", "]", "{", "}", ";", ":")) and not head.endswith("::"):
            return not (head[-1] == "{" and not self.is_block(len(head) - 1)) and not (head[-1] == "}" and statement)
        return bool(re.search(r"(\b(else|do|try|const|noexcept|override|mutable)|->\s*[\w:<>&*, ]+)$", head))

    def line(self, at):
        return self.text.count("\n", 0, at) + 1

    def site(self, kind, start, end, after, shown=None):
        before, new = shown or (self.code[start:end], after)
        brief = lambda part: " ".join(part.split())
        return Site(self.name, self.line(start), kind, start, end, brief(before), (after, brief(new)))

    # ---- the rules ----

    def statements(self):
        for block in self.blocks:
            at, end = block + 1, self.match.get(block, len(self.bare))
            while at < end:
                head = re.compile(r"\s+|else\b|do\b|(?:case\b[^;]*?[^:]|default):(?!:)|(?:if constexpr|if|for|while|switch)\s*(?=\()").match(self.bare, at)
                if head:
                    control = re.match(r"if|for|while|switch", head.group(0))
                    at = self.match.get(head.end(), end) + 1 if control else head.end()
                elif self.bare[at] == "{":
                    at = self.match.get(at, end) + 1
                else:
                    stop = at
                    while stop < end and self.bare[stop] != ";":
                        stop = self.match.get(stop, stop) + 1 if self.bare[stop] in OPEN else stop + 1
                    if stop < end:
                        yield at, stop + 1
                    at = stop + 1

    def dropped(self):
        for start, end in self.statements():
            text = self.bare[start:end]
            if self.frozen[start] or NOT_DROPPED.match(text) or DECLARATION.match(text) or ".reserve(" in text or "R\"" in self.code[start:end]:
                continue
            if re.search(r"=|\(|\+\+|--|^(continue|break);", text):
                yield self.site("drop", start, end, None, (self.code[start:end], ""))

    def region(self, at):
        """The operands of a chain of binary operators around `at`."""
        start = at
        while start > 0:
            c = self.bare[start - 1]
            if c in ")]" or (c == "}" and self.match.get(start - 1) not in self.blocks):
                start = self.match.get(start - 1, 0)
                continue
            if c in "([{},;?" or (c == ":" and self.bare[start - 2] != ":" and self.bare[start] != ":"):
                break
            if c == "=" and self.bare[start - 2] not in "=!<>" and self.bare[start] != "=":
                break
            if re.search(r"\b(return|else|throw|case)$", self.bare[max(0, start - 8):start]) and not self.bare[start].isalnum():
                break
            start -= 1
        end = at
        while end < len(self.bare):
            c = self.bare[end]
            if c in OPEN:
                end = self.match.get(end, len(self.bare))
            elif c in ")]},;?" or (c == ":" and self.bare[end + 1] != ":" and self.bare[end - 1] != ":"):
                break
            end += 1
        while self.bare[start].isspace():
            start += 1
        while self.bare[end - 1].isspace():
            end -= 1
        return start, end

    def operators(self):
        for found in re.finditer(r"(?<=[\w)\]}\"'] )(\+|-|\*|/|<=|>=|<|>|==|!=|&&|\|\|)(?=\s)", self.bare):
            if self.frozen[found.start()]:
                continue
            start, end = self.region(found.start())
            if end - start > 1000 or "R\"" in self.code[start:end]:
                continue
            after = self.code[start:found.start()] + SWAP[found.group(1)] + self.code[found.end():end]
            yield self.site("operator", start, end, after)

    def constants(self, random):
        for found in re.finditer(r"(?<![\w.'<])\d[\d']*(?![\w.'])", self.bare):
            if self.frozen[found.start()] or ARRAY.search(self.bare, max(0, found.start() - 80), found.start()):
                continue
            number = int(found.group(0).replace("'", ""))
            after = str(number + random.choice((1, -1)))
            line_start, line_end = self.text.rfind("\n", 0, found.start()) + 1, (self.text + "\n").find("\n", found.end())
            head, tail = self.code[line_start:found.start()], self.code[found.end():line_end]
            yield self.site("constant", found.start(), found.end(), after, (head + found.group(0) + tail, head + after + tail))

    def enumerators(self, enums, random):
        alias = dict(re.findall(r"using (\w+) = (?:\w+::)*(\w+);", self.bare))
        for found in re.finditer(r"((?:\b\w+::)*)\b(\w+)::(\w+)\b(?!\s*[(:<])", self.bare):
            room, name, value = found.groups()
            lists = [e for e in enums.get(alias.get(name, name), []) if value in e and len(e) > 1]
            if self.frozen[found.start()] or not lists:
                continue
            after = f"{room}{name}::{random.choice([v for v in lists[0] if v != value])}"
            yield self.site("enum", found.start(), found.end(), after)

    def sites(self, enums, random):
        return [*self.operators(), *self.constants(random), *self.dropped(), *self.enumerators(enums, random)]


def enumerations(texts):
    """Name -> lists of values (a name may stand in several rooms)."""
    enums = collections.defaultdict(list)
    for text in texts:
        for name, body in re.findall(r"\benum class (\w+)[^;{]*\{([^}]*)\}", blank(text, True)):
            enums[name].append(re.findall(r"(\w+)\s*(?:=[^,]*)?(?:,|$)", body.strip()))
    return enums


def rewrite(source, numbered):
    """The text with `numbered` sites (number, site) as schemata: no line moves, none of them overlap."""
    text = source.text
    for number, site in sorted(numbered, key=lambda pair: -pair[1].start):
        here = text[site.start:site.end]
        if site.kind == "drop":
            here = f"{{ if (!orrery_mutant({number})) {here} }}"
        else:
            here = f"(orrery_mutant({number}) ? ({' '.join(site.after[0].split(chr(10)))}) : ({here}))"
        text = text[:site.start] + here + text[site.end:]
    return '#include "orrery_mutant.hpp"\n#line 1\n' + text
