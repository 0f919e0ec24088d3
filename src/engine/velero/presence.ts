/** Whether Velero itself is awake, and which: its own handshake, as `velero version` does it. */
import { HoldfastError } from "../../errors.ts";
import type { EngineContext } from "../engine.ts";
import { type Cluster, openCluster } from "./cluster.ts";
import { veleroApi, veleroPath } from "./objects.ts";
import { policyLabel, settingsOf } from "./settings.ts";

const lookEveryMs = 250;
const limitMs = 20_000;

/** Velero's version. @throws source-unreachable when nobody answers */
export async function askVelero(context: EngineContext, cluster: Cluster): Promise<string> {
  const { namespace } = settingsOf(context.policy);
  const name = `holdfast-${context.clock.nowMs()}-${process.pid}`;
  const path = veleroPath(namespace, "serverstatusrequests", name);
  const labels = { [policyLabel]: context.policy.name };
  await cluster
    .create(veleroPath(namespace, "serverstatusrequests"), {
      apiVersion: veleroApi,
      kind: "ServerStatusRequest",
      metadata: { name, namespace, labels },
      spec: {},
    })
    .catch((error: unknown) => {
      if (!(error instanceof HoldfastError) || !/NotFound|requested resource/.test(error.message))
        throw error;
      throw new HoldfastError("source-unreachable", `there is no Velero in namespace '${namespace}'`, {
        hint: "velero install, or name its namespace in connection.namespace",
      });
    });
  try {
    const giveUpAtMs = context.clock.nowMs() + limitMs;
    for (;;) {
      const version = (await cluster.get(path))?.status?.["serverVersion"];
      if (version !== undefined) return String(version);
      if (context.clock.nowMs() > giveUpAtMs) {
        throw new HoldfastError("source-unreachable", `Velero in namespace '${namespace}' does not answer`, {
          hint: `kubectl --namespace ${namespace} get deployment velero`,
        });
      }
      await context.clock.wait(lookEveryMs, context.signal);
    }
  } finally {
    await (await openCluster(context)).remove(path).catch(() => undefined);
  }
}
