"""Reads the forms of a record for other tools, and prints what was read as JSON. An error of a library ends it.

import.py DIR TAXONOMY
"""

import csv
import json
import socket
import sys

import fideslang
import rdflib
import yaml
from fideslang.models import Taxonomy
from fideslang.relationships import get_referenced_missing_keys
from pyld import jsonld


def refuse(*_args, **_keys):
    raise RuntimeError("nothing may be fetched to read a record")


socket.socket.connect = refuse
jsonld.set_document_loader(refuse)
directory, taxonomy = sys.argv[1:]

# The manifest: valid by the models, and no key that is nowhere defined.
with open(f"{directory}/record.fides.yml", encoding="utf-8") as file:
    written = yaml.safe_load(file)
manifest = Taxonomy(**written)
default = fideslang.DEFAULT_TAXONOMY
kinds = ("data_use", "data_category", "data_subject", "organization", "system")
own = {kind: list(getattr(manifest, kind) or []) for kind in kinds}
# The organization is the one that the manifest describes, where it does.
known = {kind: list(getattr(default, kind) or []) for kind in kinds if kind != "organization" or not own[kind]}
whole = Taxonomy(**{kind: known.get(kind, []) + own[kind] for kind in kinds})
systems = {system.fides_key: system.model_dump(mode="json", exclude_unset=True) for system in manifest.system}

# The list of keys that the program has is that of the library.
listed = {kind: set() for kind in kinds[:3]}
with open(taxonomy, encoding="utf-8") as file:
    for line in file:
        if not line.startswith("#"):
            kind, key = line.split()
            listed[kind].add(key)
differs = [
    key for kind in kinds[:3] for key in listed[kind] ^ {entry.fides_key for entry in getattr(default, kind)}
]

# Linked data, by two processors.
with open(f"{directory}/record.jsonld", encoding="utf-8") as file:
    text = file.read()
document = json.loads(text)
expanded = jsonld.expand(document)
quads = jsonld.to_rdf(document, {"format": "application/n-quads"}).splitlines()
dataset = rdflib.Dataset()
dataset.parse(data=text, format="json-ld")
graphs = {str(graph.identifier): len(graph) for graph in dataset.graphs()}
DPV = rdflib.Namespace("https://w3id.org/dpv#")
DPCAT = rdflib.Namespace("https://w3id.org/dpcat#")
DCAT = rdflib.Namespace("http://www.w3.org/ns/dcat#")
DCT = rdflib.Namespace("http://purl.org/dc/terms/")
# The simplest reader knows no named graphs: it sees what is declared and nothing else.
plain = rdflib.Graph().parse(data=text, format="json-ld")
purposes = sorted(
    str(plain.value(purpose, DCT.title))
    for record in plain.subjects(rdflib.RDF.type, DPCAT.ROPA)
    for activity in plain.objects(record, DCAT.dataset)
    for purpose in plain.objects(activity, DPV.hasPurpose)
)

# The sheet, read as strictly as the standard has it.
with open(f"{directory}/record.csv", encoding="utf-8-sig", newline="") as file:
    rows = list(csv.reader(file, strict=True))

json.dump(
    {
        "missing": sorted(get_referenced_missing_keys(whole)),
        "taxonomy_differs": sorted(differs),
        "own": {kind: [entry.name for entry in own[kind]] for kind in kinds[:3]},
        "systems": systems,
        "expanded": len(expanded),
        "quads": len(quads),
        "graphs": graphs,
        "purposes": purposes,
        "observed_in_plain": any("gdprport:term:connections" in str(predicate) for predicate in plain.predicates()),
        "sheet": rows,
    },
    sys.stdout,
)
