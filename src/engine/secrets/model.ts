/** What is exported, as it stands in the artifacts. `docs/components/secrets.md` describes it for people. */

/** One stored value of one secret; `data` is null where it was deleted or destroyed and cannot be read. */
export interface SecretVersion {
  readonly version: number;
  readonly createdAt: string;
  readonly data: unknown;
}

export interface ExportedSecret {
  /** Below the mount, without a leading slash. */
  readonly path: string;
  /** Version 2 only. */
  readonly metadata?: {
    readonly current: number;
    readonly custom: Readonly<Record<string, string>>;
    readonly maxVersions: number;
    readonly casRequired: boolean;
    readonly deleteVersionAfter: string;
  };
  /** Oldest first; version 1 of the key-value engine has one. */
  readonly versions: readonly SecretVersion[];
}

export interface ExportedMount {
  readonly kind: "KeyValueMount";
  readonly mount: string;
  readonly version: 1 | 2;
  readonly description: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly secrets: readonly ExportedSecret[];
}

export interface ExportedPolicies {
  readonly kind: "AclPolicies";
  readonly policies: readonly { readonly name: string; readonly policy: string }[];
}

/** As `kubectl create -f` takes it. */
export interface ExportedObjects {
  readonly apiVersion: "v1";
  readonly kind: "List";
  readonly items: readonly KubernetesObject[];
}

export interface KubernetesObject {
  readonly apiVersion: "v1";
  readonly kind: "Secret" | "ConfigMap";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly type?: string;
  readonly immutable?: boolean;
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
}

export type ExportedDocument = ExportedMount | ExportedPolicies | ExportedObjects;

/** The document and the name of its file. */
export interface NamedDocument {
  readonly name: string;
  readonly document: ExportedDocument;
}

/** What was left out by rule, and how often: `service account tokens` → 3. */
export type LeftOut = Readonly<Record<string, number>>;

/** Stored encrypted beside the documents; without it no fingerprint can be computed or compared. */
export interface FingerprintKey {
  readonly kind: "FingerprintKey";
  /** Hex of 32 random bytes. */
  readonly key: string;
  /** Keyed digest of the source's change markers when the export ended. */
  readonly markers: string;
}
