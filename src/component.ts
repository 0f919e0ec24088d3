/**
 * The seven component kinds, and as data what differs between them. Nothing outside `engine/` asks for a
 * kind by name: a room that must behave differently reads a field of this table.
 */

export interface ComponentFacts {
  readonly title: string;
  /** What its continuous change log is called, or undefined where there is none. */
  readonly log?: "WAL" | "oplog";
  /** Any instant inside the log's window can be restored. */
  readonly pointInTime: boolean;
  readonly incremental: boolean;
  /** How a policy is triggered: by cron, all the time, or by a change at the source. */
  readonly triggers: readonly ("cron" | "continuous" | "change")[];
  /** Values of `spec.capture.method` this component knows, the first is the usual one. */
  readonly methods: readonly string[];
  /** Methods whose bytes a tool carries to the store by itself (Velero, bucket replication). */
  readonly carriedByTool: readonly string[];
  /**
   * Methods whose captures the tool's own schedule begins: Holdfast keeps that schedule as the policy says, and has
   * no job, no marker and no point of its own.
   */
  readonly scheduledByTool?: readonly string[];
  /** The data's own store goes back to any instant between two points. */
  readonly keepsVersions?: boolean;
  /** What a source is made of, as coverage names it. */
  readonly holds: readonly string[];
  /** Order of a full-stack restore: lower comes first. */
  readonly restoreOrder: number;
  /** Fields of the connection with secrets that a drill needs: what is restored stays shut without them. */
  readonly drillSecrets?: readonly string[];
  /**
   * Where runs speak to the API server of the cluster they run in: the account each kind of run has for it. Its rights
   * are the engine's to say.
   */
  readonly clusterAccounts?: {
    readonly capture: string;
    /** For levels that restore. */
    readonly drill: string;
    /** A policy whose connection has this field speaks to another cluster, with what stands there. */
    readonly unless: string;
  };
}

export const components = {
  secrets: {
    title: "Secrets",
    pointInTime: false,
    incremental: false,
    triggers: ["change", "cron"],
    methods: ["vault-export", "raft-snapshot", "kubernetes-secrets"],
    carriedByTool: [],
    holds: ["mount"],
    restoreOrder: 1,
    drillSecrets: ["unsealKeysFrom"],
  },
  postgresql: {
    title: "PostgreSQL",
    log: "WAL",
    pointInTime: true,
    incremental: true,
    triggers: ["cron"],
    methods: ["base-backup"],
    carriedByTool: [],
    holds: ["database", "unlogged-table", "foreign-table"],
    restoreOrder: 2,
  },
  mongodb: {
    title: "MongoDB",
    log: "oplog",
    pointInTime: true,
    incremental: false,
    triggers: ["cron"],
    methods: ["mongodump"],
    carriedByTool: [],
    holds: ["collection", "database"],
    restoreOrder: 3,
  },
  redis: {
    title: "Redis",
    pointInTime: false,
    incremental: false,
    triggers: ["cron"],
    methods: ["rdb", "rdb-aof"],
    carriedByTool: [],
    holds: ["database", "primary"],
    restoreOrder: 4,
  },
  clickhouse: {
    title: "ClickHouse",
    pointInTime: false,
    incremental: true,
    triggers: ["cron"],
    methods: ["clickhouse-backup", "native"],
    carriedByTool: ["clickhouse-backup", "native"],
    holds: ["table"],
    restoreOrder: 5,
  },
  s3: {
    title: "MinIO / S3",
    pointInTime: false,
    incremental: false,
    triggers: ["continuous"],
    methods: ["replication"],
    carriedByTool: ["replication"],
    keepsVersions: true,
    holds: ["bucket"],
    restoreOrder: 6,
  },
  kubernetes: {
    title: "Kubernetes",
    pointInTime: false,
    incremental: false,
    triggers: ["cron"],
    methods: ["velero", "velero-schedule"],
    carriedByTool: ["velero", "velero-schedule"],
    scheduledByTool: ["velero-schedule"],
    holds: ["namespace", "claim", "volume"],
    restoreOrder: 7,
    clusterAccounts: { capture: "velero-capture", drill: "velero-drill", unless: "kubeconfig" },
  },
} as const satisfies Record<string, ComponentFacts>;

export type ComponentKind = keyof typeof components;

export const componentKinds = Object.keys(components) as readonly ComponentKind[];

/** Whether captures of this method are begun by the tool and by nobody else. */
export function isScheduledByTool(kind: ComponentKind, method: string): boolean {
  return componentFacts(kind).scheduledByTool?.includes(method) === true;
}

/** The table's row, seen through the general type so that callers cannot depend on one kind's literals. */
export function componentFacts(kind: ComponentKind): ComponentFacts {
  return components[kind];
}
