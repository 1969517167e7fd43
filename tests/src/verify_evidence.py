#!/usr/bin/env python3
"""A second verifier of evidence logs and packs, written from docs/evidence.md, docs/evidence-pack.md and the specifications that they
name, with nothing but Python's standard library. It shares no code with gdprport.

    verify.py DIR PUBLIC_KEY [CHECKPOINT...]
    verify.py EXPORT PUBLIC_KEY
    verify.py PACK PUBLIC_KEY

Prints one line for each finding, or "verified N entries" or files; exit status 1 with findings."""

import base64
import hashlib
import json
import os
import sys
from datetime import datetime, timedelta

# --- Ed25519, RFC 8032 section 5.1 ---------------------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    aa, bb = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    cc, dd = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = bb - aa, dd - cc, dd + cc, bb + aa
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, point):
    result = (0, 1, 1, 0)
    while n:
        if n & 1:
            result = add(result, point)
        point, n = add(point, point), n >> 1
    return result


def decode_point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        raise ValueError("no point")
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - xx) % P or (x == 0 and sign):
        raise ValueError("no point")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed_by(key, text, signature):
    if len(signature) != 64:
        return False
    try:
        a, r = decode_point(key), decode_point(signature[:32])
    except ValueError:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# --- C2SP signed-note and tlog-checkpoint --------------------------------------------------------------------------------------


def read_key(text):
    name, key_id, key = text.strip().split("+", 2)
    key = base64.b64decode(key)
    assert key[0] == 1 and len(key) == 33, "no Ed25519 key"
    digest = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    assert digest.hex() == key_id, "the id is not the key's"
    return name, digest, key[1:]


def notes(data):
    """Notes one behind the other: one ends where no further signature follows."""
    note, signed = b"", False
    for line in data.splitlines(keepends=True):
        is_signature = line.startswith("\u2014 ".encode())
        if signed and not is_signature:
            yield note
            note = b""
        note, signed = note + line, is_signature
    if note:
        yield note


def text_of(note, key):
    """The text of a note, if this key signed it."""
    text, _, signatures = note.rpartition(b"\n\n")
    text += b"\n"
    name, key_id, public = key
    for line in signatures.decode().splitlines():
        mark, by, encoded = line.split(" ")
        data = base64.b64decode(encoded)
        if mark == "\u2014" and by == name and data[:4] == key_id and signed_by(public, text, data[4:]):
            return text.decode()
    return None


def checkpoint(note, keys):
    size = int(note.split(b"\n")[1])
    key = [key for first, key in keys if size > first][-1] if size else keys[0][1]
    text = text_of(note, key)
    if text is None:
        return None
    lines = text.splitlines()
    assert lines[0] == key[0], "another log's"
    facts = dict(line.split(" ", 1) for line in lines[4:]) if lines[3:4] == ["gdprport.checkpoint/1"] else {}
    return size, base64.b64decode(lines[2]), facts


# --- RFC 6962 and C2SP tlog-tiles ----------------------------------------------------------------------------------------------


def leaf(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """Roots of whole subtrees, as (height, hash)."""

    def __init__(self):
        self.size, self.peaks = 0, []

    def append(self, digest):
        """Yields the hashes that tiles of level 1 and above keep from now on: (level, index, hash)."""
        height = 0
        while self.peaks and self.peaks[-1][0] == height:
            digest, height = node(self.peaks.pop()[1], digest), height + 1
            if height % 8 == 0:
                yield height // 8, self.size >> height, digest
        self.peaks.append((height, digest))
        self.size += 1

    def root(self):
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        digest = self.peaks[-1][1]
        for _, left in reversed(self.peaks[:-1]):
            digest = node(left, digest)
        return digest


def path(number):
    groups = []
    while True:
        groups.insert(0, "%03d" % (number % 1000))
        number //= 1000
        if number == 0:
            return "/".join(["x" + group for group in groups[:-1]] + groups[-1:])


def read(directory, kind, number, width):
    for name in [f"tile/{kind}/{path(number)}.p/{width}"] * (width < 256) + [f"tile/{kind}/{path(number)}"]:
        try:
            with open(os.path.join(directory, name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            pass
    return None


def entries(bundle):
    at = 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at : at + 2], "big")
        entry = bundle[at + 2 : at + 2 + length]
        if len(entry) < length or length < 17:
            yield None
            return
        yield entry
        at += 2 + length


# --- the log -------------------------------------------------------------------------------------------------------------------


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def verify(directory, trusted, elsewhere):
    findings = []
    keys = chain(directory, trusted)

    def load(name):
        with open(os.path.join(directory, name), "rb") as file:
            return file.read()

    latest = checkpoint(load("checkpoint"), keys)
    if latest is None:
        return ["the latest checkpoint is not signed by the key"], 0
    size = latest[0]
    heads = [latest]
    last = None
    names = sorted(os.listdir(os.path.join(directory, "checkpoints")))
    for note in (note for name in names for note in notes(load("checkpoints/" + name))):
        head = checkpoint(note, keys)
        if head is None:
            findings.append("a checkpoint is not signed by the key")
            continue
        heads.append(head)
        facts = head[2]
        if int(facts["sequence"]) != (0 if last is None else int(last[2]["sequence"]) + 1):
            findings.append(f"checkpoint {facts['sequence']} does not follow the one before")
        if last is not None:
            running = facts["reason"] != "start" and last[2]["reason"] != "stop" and facts["boot"] == last[2]["boot"]
            if running and moment(facts["time"]) - moment(last[2]["time"]) > timedelta(minutes=65):
                findings.append(f"no checkpoint for too long before number {facts['sequence']}")
        last = head
    if last is None or last[2]["sequence"] != latest[2]["sequence"]:
        findings.append("the checkpoints do not end with the latest one")
    for name in elsewhere:
        with open(name, "rb") as file:
            kept = list(notes(file.read()))
        for head in (checkpoint(note, keys) for note in kept):
            if head is None:
                findings.append(f"{name} is not signed by the key")
            elif head[0] > size:
                findings.append(f"{name} is newer than the log")
            else:
                heads.append(head)

    expected = {}
    for head in heads:
        expected.setdefault(head[0], set()).add(head[1])
    tree, absent, erased = Tree(), [], []
    runs, unknown, missing, declared = {}, False, {}, {}

    def compare():
        if any(root != tree.root() for root in expected.pop(tree.size, ())):
            findings.append(f"a checkpoint of {tree.size} entries is of another tree")

    def number(run, seq):
        following = runs.get(run, None if unknown else 1)
        if following is not None and seq != following:
            if seq < following:
                findings.append(f"event {seq} of {run} is out of order")
            missing[run] = missing.get(run, 0) + max(0, seq - following)
        runs[run] = seq + 1

    for block in range((size + 255) // 256):
        width = min(256, size - 256 * block)
        bundle, tile = read(directory, "entries", block, width), read(directory, 0, block, width)
        tile = [tile[at : at + 32] for at in range(0, 32 * width, 32)] if tile is not None else None
        if bundle is None:
            absent.append(block)
            unknown, runs = True, {}
            if tile is None:
                findings.append(f"entries from {256 * block} on: neither text nor hash")
                return findings, tree.size
            found = []
        else:
            found = list(entries(bundle))[:width]
        for place in range(width):
            compare()
            index = 256 * block + place
            entry = found[place] if place < len(found) else None
            if bundle is not None and (entry is None or tile is None or leaf(entry) != tile[place]):
                findings.append(f"entry {index} is not the one of the tree")
                if tile is None:
                    return findings, tree.size
                entry = None
            for level, number_in_level, digest in tree.append(tile[place]):
                if stored(directory, level, number_in_level, size) != digest:
                    findings.append(f"the tile of level {level} lacks or has another hash {number_in_level}")
            if entry is None:
                continue
            content = entry[17:]
            if entry[0] == 1:
                event = json.loads(content)
                number(event["agent"]["run"], event["seq"])
            elif entry[0] == 2:
                own = json.loads(content)
                kind = own["entry"]
                if kind == "started":
                    runs.setdefault(own["run"], 1)
                elif kind == "gap":
                    declared[own["run"]] = declared.get(own["run"], 0) + own["events"]
                elif kind == "oversized":
                    number(own["run"], own["seq"])
                elif kind == "stopped" and runs.get(own["run"], own["emitted"] + 1) <= own["emitted"]:
                    number(own["run"], own["emitted"] + 1)
                elif kind == "erased":
                    erased = own["ranges"]
                elif kind == "policy":
                    for file in own["files"]:
                        try:
                            digest = hashlib.sha256(load("policy/" + file["sha256"])).hexdigest()
                        except FileNotFoundError:
                            digest = None
                        if digest != file["sha256"]:
                            findings.append(f"the policy {file['sha256']} is missing or another text")
    compare()
    for sizes in expected:
        findings.append(f"a checkpoint of {sizes} entries is of no tree of this log")
    for run, count in missing.items():
        if count > declared.get(run, 0):
            findings.append(f"{count - declared.get(run, 0)} events of run {run} are not in the log")
    gone = {block for part in erased for block in range(part["from"] // 256, part["to"] // 256)}
    findings += [f"entries from {256 * block} on are missing" for block in absent if block not in gone]
    findings += [f"entries from {256 * block} on are not erased" for block in sorted(gone - set(absent))]
    return findings, tree.size


def stored(directory, level, index, size):
    """A hash of a tile of a level from 1 on, in the tree of so many entries."""
    number, hashes = index // 256, size >> (8 * level)
    width = min(256, hashes - 256 * number)
    data = read(directory, level, number, width)
    return None if data is None else data[32 * (index % 256) :][:32]


def chain(directory, trusted):
    """Which key signs from which size on: (entry, key), ascending."""
    try:
        with open(os.path.join(directory, "rotations"), "rb") as file:
            data = file.read()
    except FileNotFoundError:
        data = b""
    return chained(data, trusted)


def chained(data, trusted):
    keys = []
    for note in notes(data):
        lines = note.split(b"\n\n")[0].decode().splitlines()
        assert lines[0] == "gdprport.rotation/1"
        facts = dict(line.split(" ", 1) for line in lines[1:])
        old, new = read_key(facts["old"]), read_key(facts["new"])
        assert text_of(note, old) and text_of(note, new), "a rotation is not signed by both keys"
        assert not keys or keys[-1][1] == old, "the chain of keys is broken"
        if not keys:
            keys.append((-1, old))
        keys.append((int(facts["entry"]), new))
    keys = keys or [(-1, trusted)]
    assert trusted in [key for _, key in keys], "the given key is none of this log"
    return keys


# --- exports, and RFC 9162 sections 2.1.3.2 and 2.1.4.2 ------------------------------------------------------------------------


def climb(index, last, path, right_too, left_too):
    """Both verifications: what a node on the way becomes with the one beside it."""
    for beside in path:
        if last == 0:
            return False
        if index & 1 or index == last:
            left_too(beside)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            right_too(beside)
        index, last = index >> 1, last >> 1
    return last == 0


def included(digest, index, size, path, root):
    at = [digest]
    fits = index < size and climb(index, size - 1, path, lambda h: at.append(node(at[-1], h)), lambda h: at.append(node(h, at[-1])))
    return fits and at[-1] == root


def extended(old, new, path):
    if old[0] == new[0] or old[0] == 0:
        return not path and (old[1] == new[1] if old[0] else old[1] == hashlib.sha256(b"").digest())
    if old[0] > new[0]:
        return False
    path = list(path)
    first = old[1] if old[0] & (old[0] - 1) == 0 else path.pop(0)
    index, last = old[0] - 1, new[0] - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    olds, news = [first], [first]

    def left(h):
        olds.append(node(h, olds[-1]))
        news.append(node(h, news[-1]))

    return climb(index, last, path, lambda h: news.append(node(news[-1], h)), left) and (olds[-1], news[-1]) == (old[1], new[1])


def root_of_range(begin, end, first, behind, beside, leaves):
    if end <= first or behind <= begin:
        return next(beside)
    if end - begin == 1:
        return next(leaves)
    middle = begin + (1 << ((end - begin - 1).bit_length() - 1))
    left = root_of_range(begin, middle, first, behind, beside, leaves)
    return node(left, root_of_range(middle, end, first, behind, beside, leaves))


def line_of(line):
    """An entry's bytes, if it is there, and its hash."""
    if "hash" in line:
        return None, base64.b64decode(line["hash"])
    entry = bytes([line["kind"]]) + base64.b64decode(line["salt"]) + line["content"].encode()
    return entry, leaf(entry)


def verify_export(path, trusted):
    with open(path, encoding="utf-8") as file:
        head, *lines = [json.loads(line) for line in file]
    assert head["schema"] == "gdprport.evidence.export/1"
    keys = chained(head.get("rotations", "").encode(), trusted)
    latest = checkpoint(head["checkpoint"].encode(), keys)
    if latest is None:
        return ["the checkpoint is not signed by the key"], 0
    findings, first, behind = [], head["from"], head["to"]

    def anchor(of, size):
        old = checkpoint(of["note"].encode(), keys)
        if old is None or not extended(old[:2], latest[:2], [base64.b64decode(h) for h in of["consistency"]]):
            findings.append("an older checkpoint is not one of this log")
        elif size is not None and old[0] != size:
            findings.append("the range does not begin and end with a checkpoint")

    if "since" in head:
        anchor(head["since"], first)
    elif first:
        findings.append("no checkpoint stands before the range")
    anchor(head["until"], behind)
    for of in head.get("elsewhere", ()):
        anchor(of, None)
    erased, hidden, last = [], [], {}
    if "erased" in head:
        of = head["erased"]
        entry, digest = line_of(of["entry"])
        if not included(digest, of["entry"]["index"], latest[0], [base64.b64decode(h) for h in of["inclusion"]], latest[1]):
            findings.append("the statement of what was erased is not in the tree")
        else:
            erased = json.loads(entry[17:])["ranges"]
    digests = []
    for index, line in zip(range(first, behind), lines):
        entry, digest = line_of(line)
        digests.append(digest)
        if line["index"] != index:
            findings.append(f"entry {index} is not in its place")
        if entry is None:
            hidden.append(index)
            last = {}
        elif entry[0] == 1:
            event = json.loads(entry[17:])
            run = event["agent"]["run"]
            if event["seq"] != last.get(run, event["seq"] - 1) + 1:
                findings.append(f"events are missing before entry {index}")
            last[run] = event["seq"]
        elif json.loads(entry[17:])["entry"] in ("gap", "oversized"):
            last = {}
    if len(lines) != behind - first:
        findings.append("entries are missing, or there are more")
    beside, leaves = iter([base64.b64decode(h) for h in head["hashes"]]), iter(digests)
    try:
        root = root_of_range(0, latest[0], first, behind, beside, leaves)
    except StopIteration:
        root = None
    if root != latest[1] or next(beside, None) is not None:
        findings.append("entries and hashes do not make the tree that was signed")
    for index in hidden:
        if not any(part["from"] <= index < part["to"] for part in erased):
            findings.append(f"entry {index} is not there, and nothing declares that it was erased")
    return findings, len(lines) - len(hidden)


# --- evidence packs ------------------------------------------------------------------------------------------------------------


def verify_pack(directory, trusted):
    """Who signed the list of files, by the key or by one that took its place, and whether the list is that of the files."""

    def load(name):
        with open(os.path.join(directory, name), "rb") as file:
            return file.read()

    names = set(os.listdir(directory))
    manifest = load("MANIFEST.json")
    listed = {file["name"]: file for file in json.loads(manifest)["files"]}
    findings = []
    for name in sorted((names | set(listed)) - {"MANIFEST.json", "MANIFEST.sig", "SHA256SUMS"}):
        if name not in names:
            findings.append(f"{name} is missing")
        elif name not in listed:
            findings.append(f"{name} was added")
        elif hashlib.sha256(load(name)).hexdigest() != listed[name]["sha256"]:
            findings.append(f"{name} was changed")
    if "MANIFEST.sig" not in names:
        return findings + ["it is not signed"], 0
    keys = [key for _, key in chained(load("rotations.txt") if "rotations.txt" in names else b"", trusted)]
    keys = keys[keys.index(trusted) :]
    text = f"gdprport.pack.signature/1\nmanifest sha256:{hashlib.sha256(manifest).hexdigest()}\n"
    if all(text_of(load("MANIFEST.sig"), key) != text for key in keys):
        findings.append("MANIFEST.json is not signed by the key")
    return findings, len(listed)


def main():
    directory, key, *elsewhere = sys.argv[1:]
    if os.path.exists(key):
        with open(key, encoding="utf-8") as file:
            key = file.read()
    if os.path.exists(os.path.join(directory, "MANIFEST.json")):
        findings, files = verify_pack(directory, read_key(key))
        print("\n".join(findings) or f"verified {files} files")
        sys.exit(bool(findings))
    if os.path.isfile(directory):
        findings, entries_verified = verify_export(directory, read_key(key))
    else:
        findings, entries_verified = verify(directory, read_key(key), elsewhere)
    for finding in findings:
        print(finding)
    if findings:
        sys.exit(1)
    print(f"verified {entries_verified} entries")


main()
