/** The YAML documents as they stand in files, after their schema has passed them. Durations are still text. */
import type { ComponentKind } from "../component.ts";
import type {
  AlertRule,
  CheckRequirement,
  Codec,
  CoverageSettings,
  DocumentKind,
  LogSettings,
  PlatformSettings,
  Policy,
  ProofLevel,
  SecretReference,
  StoreSettings,
} from "./model.ts";

/** One sound document and where it stands. */
export interface Entry {
  readonly kind: DocumentKind;
  readonly name: string;
  readonly file: string;
  /** Place among the documents of its file. */
  readonly index: number;
  /** Has passed the schema of its kind. */
  readonly value: Readonly<Record<string, unknown>>;
}

export interface StoreReferenceText {
  readonly name: string;
  readonly prefix?: string;
}

export interface LogText {
  readonly mode?: LogSettings["mode"];
  readonly store: StoreReferenceText;
  readonly retention: string;
  readonly pushEvery?: string;
  readonly slot?: string;
}

export interface PolicyText {
  readonly component: ComponentKind;
  readonly owner?: string;
  readonly suspended?: boolean;
  readonly failureDomain?: string;
  readonly connection: Readonly<Record<string, unknown>>;
  readonly objectives: {
    readonly rpo: string;
    readonly rto: string;
    readonly reach: string;
    readonly pitrWindow?: string;
  };
  readonly schedule: {
    readonly cron?: string;
    readonly timeZone?: string;
    readonly onChange?: { readonly debounce?: string; readonly atLeastEvery?: string };
  };
  readonly capture: {
    readonly method: string;
    readonly compression?: Codec;
    readonly level?: number;
    readonly fullCron?: string;
    readonly options?: Readonly<Record<string, unknown>>;
  };
  readonly wal?: LogText;
  readonly oplog?: LogText;
  readonly store: StoreReferenceText;
  readonly encryption?: { readonly recipients: readonly string[] };
  readonly retention: string;
  readonly prune?: { readonly floor?: number; readonly grace?: string; readonly maxShare?: number };
  readonly verification: string;
  readonly assertions?: readonly { readonly sql: string; readonly database?: string }[];
  readonly canaryEvery?: string;
  readonly onDrift?: Policy["onDrift"];
  readonly coverage?: Partial<CoverageSettings>;
  readonly deadline?: string;
  readonly replaces?: string;
}

export interface CredentialsText {
  readonly accessKeyIdFrom: SecretReference;
  readonly secretAccessKeyFrom: SecretReference;
  readonly sessionTokenFrom?: SecretReference;
}

export interface StoreText {
  readonly type: StoreSettings["type"];
  readonly failureDomain: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly bucket?: string;
  readonly forcePathStyle?: boolean;
  readonly credentials?: {
    readonly write?: CredentialsText;
    readonly read?: CredentialsText;
    readonly verdict?: CredentialsText;
    readonly delete?: CredentialsText;
  };
  readonly objectLock?: Partial<StoreSettings["objectLock"]>;
  readonly path?: string;
}

export interface CheckText {
  readonly name: string;
  readonly level: ProofLevel;
  readonly every: string;
  readonly automated?: CheckRequirement["automated"];
}

export type AlertText = Omit<AlertRule, "receivers"> & { readonly receivers?: readonly string[] };

export interface ReconcilerText {
  readonly cluster: string;
  readonly repository: { readonly url: string; readonly branch?: string; readonly path?: string };
  readonly pollEvery?: string;
  readonly reports?: {
    readonly cron?: string;
    readonly timeZone?: string;
    readonly path?: string;
    readonly branch?: string;
    readonly overdue?: string;
  };
  readonly listen?: { readonly host?: string; readonly port?: number };
  readonly maxParallelRuns?: number;
  readonly requireReview?: boolean;
  readonly platform?: PlatformSettings;
}
