/** The engine of clusters under the suite: a real API server, a real Velero and a bucket of a real MinIO. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";
import { clearMinioSecrets, minioUser, setMinioSecrets } from "../servers/minio.ts";
import { freePort } from "../servers/ports.ts";
import {
  bucketStore,
  startVelero,
  type TestVelero,
  veleroPolicy,
  veleroPrograms,
  whyNoVelero,
} from "../servers/velero.ts";
import { type EngineFixture, engineConformance } from "./engine.ts";
import { engineDamage } from "./engine-damage.ts";
import { engineKills } from "./engine-kills.ts";

const password = "correct-horse-battery-staple";
const secretValue = "a-token-that-nobody-may-see";
const production = "bud-data";

/** Secrets and config maps of a namespace by name, with their data; what the cluster itself makes does not count. */
function fingerprintOf(velero: TestVelero, namespace: string): string {
  const { items } = JSON.parse(
    velero.kubectl(["get", "secrets,configmaps", `--namespace=${namespace}`, "--output=json"]),
  ) as { items: readonly { kind: string; metadata: { name: string }; data?: Record<string, string> }[] };
  const lines = items
    .filter(({ metadata }) => !["kube-root-ca.crt", "holdfast-canary"].includes(metadata.name))
    .map(
      ({ kind, metadata, data = {} }) =>
        `${kind}/${metadata.name} ${JSON.stringify(Object.entries(data).sort())}`,
    );
  return createHash("sha256").update(lines.sort().join("\n")).digest("hex");
}

/** The same kubeconfig with a port where nobody listens. */
function unreachableConfig({ cluster }: TestVelero, port: number): string {
  const path = join(cluster.folder, "unreachable.kubeconfig");
  writeFileSync(path, readFileSync(cluster.kubeconfig, "utf8").replace(`:${cluster.port}`, `:${port}`));
  return path;
}

function credentialsFile({ cluster }: TestVelero): string {
  const path = join(cluster.folder, "credentials");
  const lines = ["[default]", `aws_access_key_id=${minioUser}`, `aws_secret_access_key=${password}`, ""];
  writeFileSync(path, lines.join("\n"), { mode: 0o600 });
  return path;
}

if (whyNoVelero() !== undefined) {
  describe("engine Velero", () => it.skip("the server cannot be had here", () => {}));
} else {
  const open = async (): Promise<EngineFixture> => {
    setMinioSecrets(password);
    const velero = await startVelero(password, "bud-velero");
    const { kubectl, cluster, minio } = velero;
    const put = (kind: readonly string[], name: string, value: string): void => {
      const made = kubectl([
        ...["create", ...kind, name, `--namespace=${production}`, `--from-literal=value=${value}`],
        ...["--dry-run=client", "--output=yaml"],
      ]);
      kubectl(["apply", "--server-side", "--force-conflicts", "--filename=-"], made);
    };
    kubectl(["create", "namespace", production]);
    for (let n = 0; n < 12; n += 1) {
      put(["secret", "generic"], `secret-${n}`, `${secretValue} ${n}`);
      put(["configmap"], `settings-${n}`, `value ${n}`);
    }
    const policy = veleroPolicy(velero, [production]);
    let written = 0;
    return {
      policy,
      store: bucketStore(minio),
      secrets: [password, secretValue, Buffer.from(secretValue).toString("base64").slice(0, 24)],
      isEncrypted: false,
      write: async () => {
        written += 1;
        put(["configmap"], "written", String(written));
        put(["secret", "generic"], "secret-0", `changed ${written}`);
        put(["configmap"], `settings-${12 + written}`, "new");
        kubectl([
          "delete",
          "configmap",
          `settings-${written}`,
          `--namespace=${production}`,
          "--ignore-not-found",
        ]);
      },
      fingerprint: async () => fingerprintOf(velero, production),
      fingerprintOf: async ({ connection }) =>
        fingerprintOf(velero, (connection["namespaces"] as Record<string, string>)[production] ?? ""),
      unreachable: {
        connection: { ...policy.connection, kubeconfig: unreachableConfig(velero, await freePort()) },
      },
      byHand: {
        environment: {
          VELERO: join(veleroPrograms, "velero"),
          KUBECONFIG: cluster.kubeconfig,
          CREDENTIALS: credentialsFile(velero),
          S3_URL: minio.endpoint,
          MAPPING: `${production}:by-hand`,
          HOME: cluster.folder,
        },
        fingerprint: async () => fingerprintOf(velero, "by-hand"),
        stop: async () => void kubectl(["delete", "namespace", "by-hand", "--wait=false"]),
      },
      close: async () => {
        clearMinioSecrets();
        await velero.stop();
      },
    };
  };
  engineConformance("Velero", open, false);
  engineDamage("Velero", open);
  engineKills("Velero", open);
}
