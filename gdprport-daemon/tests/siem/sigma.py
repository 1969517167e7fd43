"""Evaluates Sigma rules on documents: `sigma.py RULES < CASES`. A case is a line of JSON with `document` and `rules`, the names
of the rules that have to match it, no more and no less. Prints what differs, and fails then."""

import json
import re
import sys
from pathlib import Path

from sigma.collection import SigmaCollection
from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR
from sigma.types import SigmaBool, SigmaExists, SigmaNumber, SigmaString


def values(document, field):
    """All values under a name with dots; lists match by any of theirs."""
    found = [document]
    for part in field.split("."):
        found = [item for one in found for item in (one if isinstance(one, list) else [one])]
        found = [one[part] for one in found if isinstance(one, dict) and part in one]
    return [item for one in found for item in (one if isinstance(one, list) else [one])]


def matches(item, document):
    if isinstance(item, ConditionAND):
        return all(matches(one, document) for one in item.args)
    if isinstance(item, ConditionOR):
        return any(matches(one, document) for one in item.args)
    if isinstance(item, ConditionNOT):
        return not matches(item.args[0], document)
    assert isinstance(item, ConditionFieldEqualsValueExpression), item
    found = values(document, item.field)
    if isinstance(item.value, SigmaExists):
        return bool(found) == item.value.exists
    if isinstance(item.value, SigmaBool):
        return any(value is item.value.boolean for value in found)
    if isinstance(item.value, SigmaNumber):
        return any(value == item.value.number for value in found)
    assert isinstance(item.value, SigmaString), item.value
    pattern = re.compile(str(item.value.to_regex().regexp), re.IGNORECASE | re.DOTALL)
    return any(isinstance(value, str) and pattern.fullmatch(value) for value in found)


rules = {}
for path in sorted(Path(sys.argv[1]).glob("*.yml")):
    (rule,) = SigmaCollection.from_yaml(path.read_text()).rules
    rules[path.stem] = rule.detection.parsed_condition[0].parsed
wrong = 0
for number, line in enumerate(sys.stdin):
    case = json.loads(line)
    matched = {name for name, rule in rules.items() if matches(rule, case["document"])}
    if matched != set(case["rules"]):
        wrong += 1
        print(f"case {number}: {sorted(matched)} matched instead of {case['rules']}: {case['document']['message']}")
seen = len(rules)
print(f"{seen} rules")
sys.exit(1 if wrong or seen == 0 else 0)
