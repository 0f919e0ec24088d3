/** Objects as a cluster gives them, and an adoption of them. */

import { type AdoptOptions, adopt } from "../../../src/adopt/adopt.ts";
import type { Adoption } from "../../../src/adopt/adoption.ts";
import type { ClusterFound, Fields } from "../../../src/adopt/found.ts";
import { readSchemas } from "../../../src/cli/policy-files.ts";
import { componentKinds } from "../../../src/component.ts";
import type { Policy } from "../../../src/policy/model.ts";
import { readPolicySet } from "../../../src/policy/read.ts";

export const schemas = await readSchemas();
export const nowMs = Date.parse("2026-11-20T12:00:00Z");
/** Of the shipped policies; their private halves do not exist any more. */
export const runner = "age1p4rwvhqavjaf7s5nezmng36r9xmr5wusuaqvp7hu8jfnpzz4wdzswq3p0s";
export const escrow = "age1558flxxtt4vqtra9ac53pdfyfs5vep8p82ucurjr4lxflgd0w5psxf49gs";

export const nothing: ClusterFound = { own: [], cronJobs: [], schedules: [], locations: [], unread: [] };

export function adopted(found: Partial<ClusterFound>, options: Partial<AdoptOptions> = {}): Adoption {
  return adopt(
    { ...nothing, ...found },
    {
      ...{ schemas, builtKinds: componentKinds, nowMs, failureDomain: "", existing: [] },
      recipients: { runner, escrow },
      ...options,
    },
  );
}

export function policiesOf(adoption: Adoption): readonly Policy[] {
  return readPolicySet(adoption.files, schemas).set.policies;
}

/** Everything a person or a program would ever see of it. */
export function everythingOf(adoption: Adoption): string {
  const texts = adoption.files.map((f) => new TextDecoder().decode(f.bytes));
  return [...texts, JSON.stringify({ ...adoption, files: adoption.files.map((f) => f.path) })].join("\n");
}

export const errorsOf = ({ lint }: Adoption): readonly string[] =>
  lint.filter((f) => f.severity === "error").map((f) => `${f.rule}: ${f.message}`);

export function location(spec: Fields = {}, name = "default"): Fields {
  return {
    apiVersion: "velero.io/v1",
    kind: "BackupStorageLocation",
    metadata: { name, namespace: "velero" },
    spec: {
      provider: "aws",
      objectStorage: { bucket: "bud-velero", prefix: "main" },
      config: { region: "eu-central-1" },
      ...spec,
    },
  };
}

export function schedule(spec: Fields = {}, template: Fields = {}, name = "daily"): Fields {
  return {
    apiVersion: "velero.io/v1",
    kind: "Schedule",
    metadata: { name, namespace: "velero" },
    spec: {
      schedule: "0 3 * * *",
      template: { ttl: "720h0m0s", includedNamespaces: ["*"], ...template },
      ...spec,
    },
  };
}

/** A CronJob of namespace `shop` with one container. */
export function cronJob(container: Fields, spec: Fields = {}, name = "nightly"): Fields {
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name, namespace: "shop" },
    spec: {
      schedule: "30 1 * * *",
      timeZone: "Europe/Berlin",
      jobTemplate: { spec: { template: { spec: { containers: [container] } } } },
      ...spec,
    },
  };
}

export const script = (
  text: string,
  env: readonly Fields[] = [],
  image = "registry.example.org/tools:1",
): Fields => ({
  image,
  command: ["/bin/sh", "-ec"],
  args: [text],
  env,
});

export const secretVariable = (name: string, key = "password"): Fields => ({
  name,
  valueFrom: { secretKeyRef: { name: "credentials", key } },
});
