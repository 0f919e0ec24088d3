/** What each kind of run does at the API server, and nothing besides. Pure data. */
import type { Policy } from "../../policy/model.ts";
import type { ClusterAccount, ClusterRight } from "../../state/cluster-account.ts";
import { canaryName } from "./canary.ts";
import { settingsOf, type VeleroSettings } from "./settings.ts";

const veleroGroup = "velero.io";
/** The cluster is known by it. */
const oldestNamespace = "kube-system";

/** None where the policy names a kubeconfig: what may be done there is granted there. */
export function accounts(policy: Policy): readonly ClusterAccount[] {
  const settings = settingsOf(policy);
  if (settings.kubeconfig !== undefined) return [];
  const hasCanary = policy.canaryEveryMs > 0;
  return [
    { rights: observing(settings) },
    { name: "velero-capture", rights: capturing(settings) },
    { name: "velero-drill", rights: [...drilling(settings), ...(hasCanary ? readingCanary : [])] },
  ];
}

function core(resources: readonly string[], verbs: readonly string[]): ClusterRight {
  return { apiGroups: [""], resources, verbs };
}

const namespaceOfTheCluster: ClusterRight = {
  ...core(["namespaces"], ["get"]),
  resourceNames: [oldestNamespace],
};

function ofVelero({ namespace }: VeleroSettings) {
  return (resources: readonly string[], verbs: readonly string[]): ClusterRight => ({
    namespace,
    apiGroups: [veleroGroup],
    resources,
    verbs,
  });
}

/** A probe and a look at what no policy backs up read no Secret. */
function observing(settings: VeleroSettings): readonly ClusterRight[] {
  const { namespace, storageLocation, schedule } = settings;
  const velero = ofVelero(settings);
  return [
    namespaceOfTheCluster,
    core(
      ["namespaces", "persistentvolumeclaims", "persistentvolumes", "pods", "configmaps", "services"],
      ["list"],
    ),
    { apiGroups: ["apps"], resources: ["deployments", "statefulsets"], verbs: ["list"] },
    { apiGroups: ["batch"], resources: ["cronjobs"], verbs: ["list"] },
    velero(["serverstatusrequests"], ["create", "get", "delete"]),
    { ...velero(["backupstoragelocations"], ["get", "patch"]), resourceNames: [storageLocation] },
    velero(["schedules"], ["list"]),
    { ...velero(["schedules"], ["patch"]), resourceNames: [schedule] },
    {
      namespace,
      apiGroups: ["apps"],
      resources: ["daemonsets"],
      resourceNames: ["node-agent"],
      verbs: ["get"],
    },
  ];
}

/** A backup holds the Secrets of the cluster, and is compared with what there is. */
function capturing(settings: VeleroSettings): readonly ClusterRight[] {
  const { namespace } = settings;
  const velero = ofVelero(settings);
  return [
    namespaceOfTheCluster,
    core(["namespaces", "persistentvolumeclaims", "pods", "secrets", "configmaps"], ["list"]),
    velero(["serverstatusrequests"], ["create", "get", "delete"]),
    velero(["backups", "backupstoragelocations"], ["create", "get", "list", "delete"]),
    velero(["podvolumebackups"], ["get", "list", "patch", "delete"]),
    velero(["backuprepositories"], ["list", "delete"]),
    velero(["restores"], ["list"]),
    { namespace, ...core(["secrets"], ["create", "delete"]) },
  ];
}

/** Whatever a backup holds is listed again in the namespaces of the drill, whose names nobody knows beforehand. */
function drilling(settings: VeleroSettings): readonly ClusterRight[] {
  const { namespace } = settings;
  const velero = ofVelero(settings);
  return [
    { apiGroups: ["*"], resources: ["*"], verbs: ["list"] },
    core(["namespaces"], ["create", "delete"]),
    { apiGroups: ["networking.k8s.io"], resources: ["networkpolicies"], verbs: ["create"] },
    velero(["backups", "backupstoragelocations"], ["create", "get", "delete"]),
    velero(["restores", "podvolumebackups"], ["create", "get", "patch", "delete"]),
    velero(["backuprepositories"], ["delete"]),
    { namespace, ...core(["secrets"], ["create", "delete"]) },
  ];
}

const readingCanary: readonly ClusterRight[] = [
  { ...core(["configmaps"], ["get"]), resourceNames: [canaryName] },
];
