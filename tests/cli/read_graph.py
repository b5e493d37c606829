"""Prints the names of the vertices of a GraphML or DOT document on standard input, as other programs read them."""
import re
import sys
import xml.etree.ElementTree as ElementTree

text = sys.stdin.buffer.read().decode("utf-8")
if text.startswith("<?xml"):
    root = ElementTree.fromstring(text)
    space = root.tag[: root.tag.index("}") + 1]
    key = next(k.get("id") for k in root.iter(space + "key") if k.get("attr.name") == "name")
    for node in root.iter(space + "node"):
        print(next(d.text for d in node.iter(space + "data") if d.get("key") == key))
else:
    quoted = r'"((?:[^"\\\n]|\\.)*)"'
    rest = text
    for line in text.splitlines():
        vertex = re.fullmatch(r"\d+\[label=" + quoted + r", shape=(box|ellipse)\];", line)
        edge = re.fullmatch(r"\d+--\d+ +\[label=" + quoted + r", class=\w+\];", line)
        if vertex:
            print(re.sub(r"\\(.)", r"\1", vertex.group(1)))
        elif not edge and line not in ("graph G {", "}"):
            sys.exit("not DOT: " + line)
