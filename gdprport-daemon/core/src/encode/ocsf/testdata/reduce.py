"""The JSON Schemas of the OCSF classes that are used, from the PyPI package ocsf-json-schema (1.2.0):

    python3 -m venv venv && venv/bin/pip install ocsf-json-schema==1.2.0 && venv/bin/python reduce.py > ocsf-1.8.0.json

Smaller than the package's by: titles, descriptions, and attributes whose object is not in OBJECTS. That makes them only
stricter: who uses another object adds its name here.
"""

import json

from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = "1.8.0"
PROFILES = ["container", "host", "linux/linux_users", "security_control"]
CLASSES = [1008, 2003, 2004, 3004, 4001, 6002]
OBJECTS = set(
    "actor analytic authorization compliance container device evidences file finding_info group image key_value_object "
    "managed_entity metadata network_connection_info network_endpoint network_traffic object os policy process product "
    "remediation resource_details tls user".split()
)


def reference(schema):
    return schema.get("$ref", schema.get("items", {}).get("$ref", "")).rsplit("/", 1)[-1]


def reduced(schema):
    if isinstance(schema, list):
        return [reduced(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key not in ("title", "description", "$comment")}
    if "properties" in kept:
        kept["properties"] = {
            name: reduced(value)
            for name, value in kept["properties"].items()
            if not reference(value) or reference(value) in OBJECTS
        }
    return {key: value if key == "properties" else reduced(value) for key, value in kept.items()}


schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
classes, objects = {}, {}
for uid in CLASSES:
    name = schemas.lookup_class_name_from_uid(class_uid=uid)
    schema = schemas.get_class_schema(class_name=name, profiles=PROFILES)
    for key, value in schema.pop("$defs").items():
        value = reduced(value)
        if key in OBJECTS:
            assert objects.setdefault(key, value) == value, key
    classes[uid] = reduced(schema)
print(json.dumps({"version": VERSION, "classes": classes, "$defs": objects}, sort_keys=True, separators=(",", ":")))
