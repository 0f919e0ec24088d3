#!/usr/bin/env python3
"""Reads Holdfast backups without Holdfast: needs Python 3.9, `cryptography`, the files of the bucket and a key.

  restore-without-holdfast.py list FOLDER PREFIX
  restore-without-holdfast.py artifact FOLDER PREFIX POINT ARTIFACT OUTPUT --identity FILE
  restore-without-holdfast.py object FILE OUTPUT --identity FILE

FOLDER is a copy of the bucket, one file per object. What is written is what was encrypted: still compressed
with gzip or zstd when the artifact's codec says so, for `gzip -d` or `zstd -d`. See format.md.
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MAGIC = b"HOLDFAST-ENVELOPE/1\n"
TAG = 16


def fail(message):
    sys.exit("error: " + message)


def hkdf(key, salt, info, length=32):
    return HKDF(hashes.SHA256(), length, salt, info).derive(key)


def bech32_bytes(text):
    """The 32 bytes of an AGE-SECRET-KEY-1 text; the checksum is looked at."""
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    text = text.lower()
    name, _, data = text.rpartition("1")
    values = [alphabet.index(c) for c in data]
    check = 1
    for value in [ord(c) >> 5 for c in name] + [0] + [ord(c) & 31 for c in name] + values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= term if top >> bit & 1 else 0
    if check != 1:
        fail("an identity is misspelt: its checksum is wrong")
    number = 0
    for value in values[:-6]:
        number = number << 5 | value
    spare = len(values[:-6]) * 5 % 8
    return (number >> spare).to_bytes(len(values[:-6]) * 5 // 8, "big")


def read_identities(path):
    with open(path, encoding="utf8") as file:
        lines = [line.strip() for line in file]
    keys = [bech32_bytes(line) for line in lines if line.upper().startswith("AGE-SECRET-KEY-1")]
    return keys or fail(f"'{path}' holds no age identity")


def unpadded(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))


def age_decrypt(data, identities):
    """The age format, version 1, with X25519 recipients and one chunk of payload."""
    end = data.index(b"\n--- ") + 1
    mac_end = data.index(b"\n", end)
    header, mac, payload = data[: end + 3], unpadded(data[end + 4 : mac_end].decode()), data[mac_end + 1 :]
    lines = data[:end].decode().split("\n")
    for index, line in enumerate(lines):
        words = line.split(" ")
        if words[:2] != ["->", "X25519"]:
            continue
        share, body = unpadded(words[2]), unpadded(lines[index + 1])
        for secret in identities:
            private = X25519PrivateKey.from_private_bytes(secret)
            public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            shared = private.exchange(X25519PublicKey.from_public_bytes(share))
            wrap = hkdf(shared, share + public, b"age-encryption.org/v1/X25519")
            try:
                file_key = ChaCha20Poly1305(wrap).decrypt(bytes(12), body, None)
            except InvalidTag:
                continue
            expected = hmac.new(hkdf(file_key, b"", b"header"), header, "sha256").digest()
            if not hmac.compare_digest(expected, mac):
                fail("the header of the wrapped key was changed")
            stream = hkdf(file_key, payload[:16], b"payload")
            return ChaCha20Poly1305(stream).decrypt(bytes(11) + b"\x01", payload[16:], None)
    return None


def read_header(source):
    if source.read(len(MAGIC)) != MAGIC:
        fail("this is no Holdfast envelope")
    line = source.readline(65536)
    return json.loads(line), MAGIC + line


def decrypt(source, output, identities, expected_object=None):
    header, header_bytes = read_header(source)
    found = header["context"]["object"]
    if expected_object is not None and found != expected_object:
        fail(f"'{expected_object}' holds the object '{found}'")
    data_key = age_decrypt(base64.b64decode(header["wrappedKey"]), identities)
    if data_key is None:
        fail("no identity fits; this object opens with one of " + ", ".join(header["recipients"]))
    salt = base64.b64decode(header["salt"])
    commitment = hmac.new(data_key, b"holdfast/1 commitment" + salt, "sha256").hexdigest()
    if not hmac.compare_digest(commitment, header["commitment"]):
        fail("header and data key do not belong together")
    secrets = hkdf(data_key, salt, b"holdfast/1 frames" + hashlib.sha256(header_bytes).digest(), 39)
    cipher, prefix = AESGCM(secrets[:32]), secrets[32:]
    counter, frame = 0, source.read(header["frameBytes"] + TAG)
    while True:
        following = source.read(header["frameBytes"] + TAG)
        nonce = prefix + counter.to_bytes(4, "big") + (b"\x00" if following else b"\x01")
        try:
            output.write(cipher.decrypt(nonce, frame, None))
        except InvalidTag:
            fail(f"frame {counter} of '{found}' was changed, cut or moved")
        if not following:
            return header
        counter, frame = counter + 1, following


class Hashing:
    """Writes and hashes."""

    def __init__(self, file):
        self.file, self.hash = file, hashlib.sha256()

    def write(self, data):
        self.hash.update(data)
        self.file.write(data)


def list_points(arguments):
    folder = os.path.join(arguments.folder, arguments.prefix, "manifests")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf8") as file:
            manifest = json.load(file)
        print(manifest["id"], manifest["component"], manifest["capture"], "needs", manifest["parents"] or "no other")
        for artifact in manifest["artifacts"]:
            print("  ", artifact["name"], artifact["codec"], sum(o["sizeBytes"] for o in artifact["objects"]), "bytes")


def read_artifact(arguments):
    path = os.path.join(arguments.folder, arguments.prefix, "manifests", arguments.point + ".json")
    with open(path, encoding="utf8") as file:
        manifest = json.load(file)
    found = [a for a in manifest["artifacts"] if a["name"] == arguments.artifact]
    if not found:
        fail(f"'{arguments.point}' has no artifact '{arguments.artifact}'")
    identities = read_identities(arguments.identity)
    with open(arguments.output, "xb") as file:
        output = Hashing(file)
        for stored in found[0]["objects"]:
            with open(os.path.join(arguments.folder, stored["key"]), "rb") as source:
                decrypt(source, output, identities, stored["key"][len(arguments.prefix) :])
    if output.hash.hexdigest() != found[0]["plainSha256"]:
        fail("the artifact is not what was stored: its SHA-256 differs")
    print(f"{arguments.output}: whole, codec {found[0]['codec']}")


def read_object(arguments):
    with open(arguments.file, "rb") as source, open(arguments.output, "xb") as output:
        header = decrypt(source, output, read_identities(arguments.identity))
    print(f"{arguments.output}: whole, codec {header['codec']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    for name, act, places in (
        ("list", list_points, ["folder", "prefix"]),
        ("artifact", read_artifact, ["folder", "prefix", "point", "artifact", "output"]),
        ("object", read_object, ["file", "output"]),
    ):
        verb = verbs.add_parser(name)
        for place in places:
            verb.add_argument(place)
        if act is not list_points:
            verb.add_argument("--identity", required=True, help="file with an AGE-SECRET-KEY-1 line")
        verb.set_defaults(act=act)
    arguments = parser.parse_args()
    try:
        arguments.act(arguments)
    except OSError as error:
        fail(f"{error.strerror}: '{error.filename}'")


main()
