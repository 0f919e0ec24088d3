/** Jobs that carry buckets over, save the storage of a secret server, or ask Velero for a backup. */
import { parseDuration } from "../time/duration.ts";
import { bucketAddresses } from "./destination.ts";
import { credentialOf, type Sighting, type SourceReading, type Tool } from "./reading.ts";
import type { Word } from "./shell.ts";
import { addressOf, flagOf, shaped, variableOf } from "./values.ts";

const has = (args: readonly Word[], ...wanted: readonly RegExp[]): boolean =>
  wanted.every((pattern) => args.some(({ text }) => pattern.test(text)));

export const otherTools: readonly Tool[] = [
  {
    title: "raft snapshot",
    programs: /^(?:vault|bao)$/,
    isBackup: (args) => has(args, /^operator$/, /^raft$/, /^snapshot$/, /^save$/),
    read: readSecretServer,
  },
  {
    title: "velero backup",
    programs: /^velero$/,
    isBackup: (args) => has(args, /^create$/, /^backups?$/),
    read: readVelero,
  },
  {
    title: "copy of a bucket",
    programs: /^(?:aws|mc|mcli|rclone|s5cmd)$/,
    isBackup: (args) => has(args, /^(?:sync|mirror|copy|cp)$/),
    read: readBucket,
  },
];

function readSecretServer(sighting: Sighting): SourceReading {
  const { args, command } = sighting;
  const vaultAddress = addressOf(
    flagOf(args, ["-address", "--address"]) ?? variableOf(command, ["VAULT_ADDR", "BAO_ADDR"]),
  );
  const token = credentialOf(sighting, "TOKEN", ["VAULT_TOKEN", "BAO_TOKEN"]);
  return {
    component: "secrets",
    method: "raft-snapshot",
    connection: {
      ...(vaultAddress === undefined ? {} : { vaultAddress }),
      ...(token.from === undefined ? {} : { tokenFrom: token.from }),
    },
    missing:
      vaultAddress === undefined ? ["the server's address: the job does not say it in plain words"] : [],
    findings: token.from === undefined ? ["no token was seen; say connection.tokenFrom"] : token.findings,
  };
}

function readVelero({ args, workload }: Sighting): SourceReading {
  const namespaces = (flagOf(args, ["--include-namespaces"]) ?? "*").split(",");
  const isPlain = namespaces.every((name) => name === "*" || shaped("name", name) !== undefined);
  const ttl = flagOf(args, ["--ttl"]);
  const isFromSchedule = args.some(({ text }) => text.startsWith("--from-schedule"));
  const namespace = shaped("name", flagOf(args, ["-n", "--namespace"])) ?? workload.namespace;
  return {
    component: "kubernetes",
    method: "velero",
    connection: { namespace },
    options: {
      includedNamespaces: namespaces,
      ...(parseDuration(ttl ?? "") === undefined ? {} : { ttl }),
    },
    location: `${namespace}/${shaped("name", flagOf(args, ["--storage-location"])) ?? ""}`,
    missing: [
      ...(isFromSchedule ? ["anything of its own: it begins one of Velero's schedules"] : []),
      ...(isPlain ? [] : ["its namespaces: they are known when the job runs only"]),
    ],
    findings: has(args, /^--(?:exclude|selector|or-selector)/)
      ? ["it leaves something out or selects by labels; a policy names namespaces and resources"]
      : [],
  };
}

function readBucket(sighting: Sighting): SourceReading {
  const { command, args } = sighting;
  const [source, target] = bucketAddresses(command);
  const missing: string[] = [];
  if (source === undefined || target === undefined)
    missing.push("two buckets in plain words: what it copies, or where to, is none that can be read");
  else if (source.endpoint === "")
    missing.push("the endpoint of its source; say --endpoint-url, or write the policy by hand");
  const keys = credentialOf(sighting, "ACCESS_KEY_ID", ["AWS_ACCESS_KEY_ID"]);
  const secret = credentialOf(sighting, "SECRET_ACCESS_KEY", ["AWS_SECRET_ACCESS_KEY"]);
  return {
    component: "s3",
    method: "replication",
    connection: {
      endpoint: source?.endpoint ?? "",
      bucket: source?.bucket ?? "",
      ...(keys.from === undefined ? {} : { accessKeyIdFrom: keys.from }),
      ...(secret.from === undefined ? {} : { secretAccessKeyFrom: secret.from }),
    },
    options: {
      deletes: has(args, /^--(?:delete|remove)$/),
      deleteMarkers: has(args, /^--(?:delete|remove)$/),
    },
    schedule: { continuous: true },
    missing,
    findings: [
      "Holdfast replicates all the time by the servers' own rule; the job's cron has no counterpart",
      ...keys.findings,
      ...secret.findings,
    ],
  };
}
