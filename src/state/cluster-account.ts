/** What runs may do at the API server of the cluster they run in: what an engine asks for, and a platform grants. */

export interface ClusterRight {
  /** Undefined for the whole cluster. */
  readonly namespace?: string;
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  /** Only objects of these names; all where not given. */
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

export interface ClusterAccount {
  /** As jobs name it; undefined for what looking at a source and mending it needs, which the reconciler does itself. */
  readonly name?: string;
  readonly rights: readonly ClusterRight[];
}
