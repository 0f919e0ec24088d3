/** The pod of a run: restricted pod security, a token of the API server only where the job has an account, secrets by reference. */
import type { Job } from "../../../state/job.ts";
import { type ObjectSettings, policiesConfigMap, serviceAccountName } from "./settings.ts";

/** Kinds whose verbs read what is stored, and so need an identity. */
const decrypting = new Set<Job["kind"]>(["verify"]);
const identityPath = "/etc/holdfast/identity";

/** Refused nothing by the namespace's `restricted` level. */
export const restrictedContainer = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

export const restrictedPod = {
  runAsNonRoot: true,
  runAsUser: 10001,
  runAsGroup: 10001,
  fsGroup: 10001,
  seccompProfile: { type: "RuntimeDefault" },
};

/** @param args verb and arguments, complete */
export function runPod(
  job: Job,
  args: readonly string[],
  settings: ObjectSettings,
  restartPolicy: "Never" | "Always",
): Readonly<Record<string, unknown>> {
  const needsIdentity = decrypting.has(job.kind);
  return {
    serviceAccountName: serviceAccountName(job),
    automountServiceAccountToken: job.account !== undefined,
    enableServiceLinks: false,
    restartPolicy,
    securityContext: restrictedPod,
    terminationGracePeriodSeconds: 60,
    containers: [
      {
        name: "holdfast",
        image: settings.image,
        imagePullPolicy: "IfNotPresent",
        ...(settings.command.length === 0 ? {} : { command: settings.command }),
        args: needsIdentity ? [...args, "--identity", `${identityPath}/identity`] : args,
        env: [
          // The kubelet hands what is written there to the API server, and so the run's facts to us.
          { name: "HOLDFAST_RESULT", value: "/dev/termination-log" },
          { name: "HOME", value: "/tmp" },
          ...(job.apart?.variables ?? []).map((name) => variableOf(name, settings)),
        ],
        ...(job.apart === undefined
          ? { envFrom: [{ secretRef: { name: settings.environmentSecret, optional: true } }] }
          : {}),
        resources: {
          requests: { cpu: "100m", memory: "256Mi", "ephemeral-storage": "1Gi" },
          limits: { cpu: "2", memory: "2Gi", "ephemeral-storage": "50Gi" },
        },
        securityContext: restrictedContainer,
        terminationMessagePath: "/dev/termination-log",
        terminationMessagePolicy: "File",
        volumeMounts: [
          { name: "policies", mountPath: "/etc/holdfast/policies", readOnly: true },
          { name: "state", mountPath: "/var/lib/holdfast" },
          { name: "tmp", mountPath: "/tmp" },
          ...(needsIdentity ? [{ name: "identity", mountPath: identityPath, readOnly: true }] : []),
        ],
      },
    ],
    volumes: [
      { name: "policies", configMap: { name: policiesConfigMap, optional: true } },
      { name: "state", emptyDir: {} },
      { name: "tmp", emptyDir: {} },
      ...(needsIdentity
        ? [{ name: "identity", secret: { secretName: settings.identitySecret, defaultMode: 0o440 } }]
        : []),
    ],
  };
}

/** One key of the secret: what else somebody has put into it does not come along. */
function variableOf(name: string, { environmentSecret }: ObjectSettings): object {
  return {
    name,
    valueFrom: { secretKeyRef: { name: environmentSecret, key: name, optional: true } },
  };
}
