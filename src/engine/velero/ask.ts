/** The policy's questions to restored namespaces: `count configmaps >= 3`, `exists secrets/tls`, `exists deployments.apps/web`. */
import { HoldfastError } from "../../errors.ts";
import { compareNumbers } from "../comparison.ts";
import type { Cluster } from "./cluster.ts";

const question = /^(?:count\s+([a-z0-9.]+)\s*(==|!=|>=|<=|>|<)\s*(\d+)|exists\s+([a-z0-9.]+)\/(\S+))$/;
const versions: Readonly<Record<string, string>> = {
  apps: "v1",
  batch: "v1",
  "networking.k8s.io": "v1",
  "rbac.authorization.k8s.io": "v1",
};

/** @param database the namespace as it was called in the backup; empty for all of them. @throws usage */
export async function askCluster(
  cluster: Cluster,
  mapping: Readonly<Record<string, string>>,
  statement: string,
  database: string,
): Promise<boolean> {
  const [, counted, operator = "", number, sought, name] = question.exec(statement.trim()) ?? [];
  const resource = counted ?? sought;
  if (resource === undefined) {
    throw new HoldfastError("usage", `'${statement}' is no question`, {
      hint: "count configmaps >= 3, or exists secrets/NAME; the database is the namespace",
    });
  }
  const targets =
    database === "" ? Object.values(mapping) : [mapping[database] ?? ""].filter((t) => t !== "");
  const [plural = "", ...group] = resource.split(".");
  let found = 0;
  for (const target of targets) {
    const objects = await cluster.list(`${rootOf(group.join("."))}/namespaces/${target}/${plural}`);
    found += objects.filter((o) => name === undefined || o.metadata.name === name).length;
  }
  return counted === undefined ? found > 0 : compareNumbers(found, operator, Number(number));
}

function rootOf(group: string): string {
  return group === "" ? "/api/v1" : `/apis/${group}/${versions[group] ?? "v1"}`;
}
