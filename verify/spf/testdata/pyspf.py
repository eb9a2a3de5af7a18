"""Evaluates SPF by pyspf over zones from standard input, one JSON object a line:
{"zone": {"names": {name: {type: [value]}}, "trouble": [name]},
 "cases": [{"ip", "helo", "local", "domain"}]}.
Prints one JSON object for each case: {"result", "explanation", "note"}, and where it is
one void look-up too many, also "by_term", what follows if terms are counted instead."""
import json
import sys

import spf

zone = {"names": {}, "trouble": []}


def text(strings):
    return [bytes(ord(c) & 255 for c in str(s)) for s in strings]


def lookup(name, qtype, strict=True, timeout=None):
    name = name.lower().rstrip(".")
    if name in zone["trouble"]:
        raise spf.TempError("DNS time-out")
    answers = []
    for kind, values in zone["names"].get(name, {}).items():
        if kind not in (qtype, "CNAME"):
            continue
        for value in values:
            if kind == "TXT":
                value = text(value if isinstance(value, list) else [value])
            elif kind == "MX":
                value = (int(value[0]), str(value[1]))
            answers.append(((name, kind), value))
    return answers


class ByTerm(spf.query):
    """Counts void look-ups by terms: addresses of hosts and names are not counted, nor
    what an alias leads to, which pyspf counts twice."""

    def dns(self, name, qtype, cnames=None, ignore_void=False):
        return spf.query.dns(self, name, qtype, cnames, ignore_void or bool(cnames))

    def dns_mx(self, name):
        return self.uncounted(lambda: spf.query.dns_mx(self, name), bool(self.dns(name, "MX", ignore_void=True)))

    def validated_ptrs(self):
        return self.uncounted(lambda: spf.query.validated_ptrs(self), bool(self.dns_names()))

    def getp(self):
        return self.uncounted(lambda: spf.query.getp(self), True)

    def dns_names(self):
        reverse = ".".join(reversed(self.i.split(".")))
        return self.dns("%s.%s.arpa" % (reverse, self.v), "PTR", ignore_void=True)

    def uncounted(self, ask, found):
        if not found:
            return ask()
        before, self.void_lookups = self.void_lookups, -1000
        try:
            return ask()
        finally:
            self.void_lookups = before


def evaluate(kind, case):
    q = kind(i=case["ip"], s=case["local"] + "@" + case["domain"], h=case["helo"])
    q.set_default_explanation("DEFAULT")
    try:
        result, _, explanation = q.check()
    except Exception as fault:
        return {"result": "exception", "explanation": "", "note": repr(fault)}
    if explanation == "DEFAULT" or result != "fail":
        explanation = ""
    return {"result": result, "explanation": explanation, "note": str(getattr(q, "prob", ""))}


spf.DNSLookup = lookup
for line in sys.stdin:
    scenario = json.loads(line)
    zone = scenario["zone"]
    zone["trouble"] = [name.lower() for name in zone["trouble"] or []]
    for case in scenario["cases"]:
        opinion = evaluate(spf.query, case)
        if opinion["note"].startswith("Void lookup limit"):
            opinion["by_term"] = evaluate(ByTerm, case)
        print(json.dumps(opinion))
