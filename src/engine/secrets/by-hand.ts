/** A restore with bao, kubectl and a few lines of Python alone, for a day without Holdfast. */
import type { HandRecipe } from "../../catalogue/hand-recipe.ts";
import type { Manifest } from "../../catalogue/manifest.ts";
import { snapshotArtifact } from "./capture.ts";
import { documentsOf } from "./documents.ts";

/** Values go by standard input; what stands in arguments are names. Deleted versions keep their numbers. */
const loader = `import glob, json, subprocess, os
bao = os.environ.get("BAO", "bao")
def run(*args, text=None):
    subprocess.run([bao, *args], input=text, text=True, check=True, stdout=subprocess.DEVNULL)
for name in sorted(glob.glob("*.json")):
    with open(name) as file:
        doc = json.load(file)
    if doc["kind"] == "AclPolicies":
        for policy in doc["policies"]:
            run("policy", "write", policy["name"], "-", text=policy["policy"])
    if doc["kind"] != "KeyValueMount":
        continue
    mount = doc["mount"].rstrip("/")
    run("secrets", "enable", "-path=" + mount, "-version=%d" % doc["version"], "-description=" + doc["description"], "kv")
    for secret in doc["secrets"]:
        path = secret["path"]
        if doc["version"] == 1:
            run("kv", "put", "-mount=" + mount, path, "-", text=json.dumps(secret["versions"][0]["data"]))
            continue
        about = secret["metadata"]
        custom = ["-custom-metadata=%s=%s" % pair for pair in about["custom"].items()]
        run("kv", "metadata", "put", "-mount=" + mount, "-max-versions=%d" % about["maxVersions"], *custom, path)
        values = {v["version"]: v["data"] for v in secret["versions"]}
        for number in range(1, about["current"] + 1):
            data = values.get(number)
            run("kv", "put", "-mount=" + mount, path, "-", text=json.dumps(data or {"holdfast": "placeholder"}))
            if data is None:
                run("kv", "destroy", "-mount=" + mount, "-versions=%d" % number, path)`;

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
      // By standard input: a key in an argument can be read by every user of the machine.
      `"$BAO" write -format=json sys/unseal key=@unseal >/dev/null 2>&1 || "$BAO" write sys/unseal key="$(cat unseal)" >/dev/null`,
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
