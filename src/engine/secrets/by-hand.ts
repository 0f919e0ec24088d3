/** A restore with bao, kubectl and a few lines of Python alone, for a day without Holdfast. */
import type { HandRecipe } from "../../catalogue/hand-recipe.ts";
import type { Manifest } from "../../catalogue/manifest.ts";
import { snapshotArtifact } from "./capture.ts";
import { documentsOf } from "./documents.ts";

/** Everything but paths goes by standard input. Limits on versions come before the values, all others after them. */
const loader = `import glob, json, subprocess, os, time
bao = os.environ.get("BAO", "bao")
def write(path, value):
    subprocess.run([bao, "write", path, "-"], input=json.dumps(value), text=True, check=True, stdout=subprocess.DEVNULL)
def wait(path):
    for _ in range(100):
        if subprocess.run([bao, "read", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.1)
    raise SystemExit(path + " was not ready in time")
for name in sorted(glob.glob("*.json")):
    with open(name) as file:
        doc = json.load(file)
    if doc["kind"] == "AclPolicies":
        for policy in doc["policies"]:
            write("sys/policies/acl/" + policy["name"], {"policy": policy["policy"]})
    if doc["kind"] != "KeyValueMount":
        continue
    mount = doc["mount"].rstrip("/")
    write("sys/mounts/" + mount, {"type": "kv", "description": doc["description"], "options": {"version": str(doc["version"])}})
    if doc["version"] == 1:
        for secret in doc["secrets"]:
            write(mount + "/" + secret["path"], secret["versions"][0]["data"])
        continue
    wait(mount + "/config")
    write(mount + "/config", {"max_versions": doc["config"]["max_versions"]})
    for secret in doc["secrets"]:
        path, about = secret["path"], secret["metadata"]
        limits = {"custom_metadata": about["custom"], "max_versions": about["maxVersions"]}
        write(mount + "/metadata/" + path, limits)
        values = {v["version"]: v["data"] for v in secret["versions"] if v["data"] is not None}
        numbers = range(1, about["current"] + 1)
        for number in numbers:
            write(mount + "/data/" + path, {"data": values.get(number, {"holdfast": "placeholder"})})
        gone = [number for number in numbers if number not in values]
        if gone:
            write(mount + "/destroy/" + path, {"versions": gone})
        write(mount + "/metadata/" + path, dict(limits, cas_required=about["casRequired"], delete_version_after=about["deleteVersionAfter"]))
    write(mount + "/config", doc["config"])`;

const waitUntilUp = `for i in $(seq 100); do "$BAO" status >/dev/null 2>&1 && break; [ $? -eq 2 ] && break; sleep 0.1; done`;

/** The state of the point itself, in the server of `BAO_ADDR`, or in a new one on `$PORT`. */
export function byHand(chain: readonly Manifest[]): HandRecipe {
  const [point] = chain;
  if (point === undefined) return { decode: [], commands: [], notes: [] };
  const isSnapshot = point.artifacts.some((a) => a.name === snapshotArtifact);
  return isSnapshot ? snapshotByHand(point) : exportByHand(point);
}

function exportByHand(point: Manifest): HandRecipe {
  const documents = [...documentsOf(point)];
  const cut = documents.filter(([, pieces]) => pieces.length > 1);
  return {
    decode: documents.flatMap(([, pieces]) =>
      pieces.map(({ name }) => ({ point: point.id, artifact: name, path: name })),
    ),
    commands: [
      "umask 077",
      `: "\${BAO:=bao}" "\${PORT:=8300}"; export BAO`,
      // A person who restores into a server of his own names it and its token; otherwise a fresh one starts.
      `if [ -z "\${BAO_ADDR:-}" ]; then BAO_ADDR=http://127.0.0.1:$PORT; BAO_TOKEN=$(cat /proc/sys/kernel/random/uuid); export BAO_ADDR BAO_TOKEN; printf %s "$BAO_TOKEN" >token; BAO_DEV_ROOT_TOKEN_ID=$BAO_TOKEN "$BAO" server -dev -dev-no-store-token -dev-listen-address=127.0.0.1:$PORT >server.log 2>&1 & echo $! >server.pid; ${waitUntilUp}; "$BAO" secrets disable secret/ >/dev/null; fi`,
      ...cut.map(([name]) => `cat ${name}.[0-9]* >${name} && rm ${name}.[0-9]*`),
      `python3 - <<'LOADER'\n${loader}\nLOADER`,
    ],
    notes: [
      `OpenBao or Vault ${point.server.version} or newer; set BAO where the program is not in PATH. To restore into a server of yours, set BAO_ADDR and BAO_TOKEN; its mounts must not exist yet.`,
      "Objects of a cluster are in kubernetes.json: kubectl create -f kubernetes.json.",
      "The fingerprint key in the point is for comparing and is not needed here. Remove the decoded files afterwards: they hold every secret.",
    ],
  };
}

function snapshotByHand(point: Manifest): HandRecipe {
  const settings = `storage "raft" { path = "$DIR/raft", node_id = "restored", performance_multiplier = 1 }
listener "tcp" { address = "127.0.0.1:$PORT", cluster_address = "127.0.0.1:$((PORT + 1))", tls_disable = true }
api_addr = "http://127.0.0.1:$PORT"
cluster_addr = "http://127.0.0.1:$((PORT + 1))"`;
  return {
    decode: [{ point: point.id, artifact: snapshotArtifact, path: snapshotArtifact }],
    commands: [
      "umask 077",
      `: "\${BAO:=bao}" "\${PORT:=8300}"; export BAO_ADDR=http://127.0.0.1:$PORT`,
      `mkdir -p raft; cat >server.hcl <<SETTINGS\n${settings}\nSETTINGS`,
      `"$BAO" server -config=server.hcl >server.log 2>&1 & echo $! >server.pid; ${waitUntilUp}`,
      `"$BAO" operator init -key-shares=1 -key-threshold=1 -format=json >init.json`,
      `python3 -c 'import json; print(json.load(open("init.json"))["unseal_keys_b64"][0])' >unseal; python3 -c 'import json; print(json.load(open("init.json"))["root_token"], end="")' >token`,
      // From its file: a key in an argument can be read by every user of the machine.
      `"$BAO" write sys/unseal key=@unseal >/dev/null`,
      `for i in $(seq 100); do "$BAO" status >/dev/null 2>&1 && break; sleep 0.1; done`,
      `BAO_TOKEN=$(cat token) "$BAO" operator raft snapshot restore -force ${snapshotArtifact}`,
      "rm -f init.json unseal token",
    ],
    notes: [
      `OpenBao ${point.server.version} or newer; set BAO where it is not in PATH.`,
      "Now the server is sealed with the keys of the source: bao operator unseal with them, and the source's tokens work. Without those keys nobody can open it.",
    ],
  };
}
