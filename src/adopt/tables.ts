/** The documents that adopted policies refer to: each is written once, and one that is there already is used. */

import { hostOf } from "../lint/places.ts";
import { apiVersion, type KeepTable, type PolicySet } from "../policy/model.ts";
import type { BucketAddress } from "./destination.ts";
import { Keys, type Recipients } from "./keys.ts";
import { Names } from "./names.ts";
import { variableFor } from "./reading.ts";

const rights = ["write", "read", "delete"] as const;

export class Tables {
  readonly keys: Keys;
  readonly #known: PolicySet;
  readonly #tableNames: Names;
  readonly #storeNames: Names;
  readonly #rowNames: Names;
  readonly #stores = new Map<string, { readonly name: string; readonly document: object }>();
  readonly #rows = new Map<number, string>();
  #isChecklistNew = false;

  /** @param tables names of the retention tables and key rings that are there */
  constructor(known: PolicySet, tables: readonly string[], given: Recipients) {
    this.keys = new Keys(known.keys, given);
    this.#known = known;
    this.#tableNames = new Names(tables);
    this.#storeNames = new Names(known.stores.map((s) => s.name));
    this.#rowNames = new Names(known.retention.map((r) => r.name));
  }

  /** Name of the store of that bucket, and what is to be done for it. */
  store(address: BucketAddress & { readonly forcePathStyle?: boolean }): {
    readonly name: string;
    readonly findings: readonly string[];
  } {
    const { endpoint, bucket, region } = address;
    const url = endpoint === "" ? `https://s3.${region}.amazonaws.com` : endpoint;
    const known = this.#known.stores.find((s) => s.endpoint === url && s.bucket === bucket);
    if (known !== undefined) return { name: known.name, findings: [] };
    const key = `${endpoint} ${bucket}`;
    const made = this.#stores.get(key);
    if (made !== undefined) return { name: made.name, findings: [] };
    const name = this.#storeNames.take(bucket);
    const variables = (right: string) => ({
      accessKeyIdFrom: { env: variableFor(name, `${right.toUpperCase()}_KEY_ID`) },
      secretAccessKeyFrom: { env: variableFor(name, `${right.toUpperCase()}_SECRET`) },
    });
    const document = {
      apiVersion,
      kind: "Store",
      metadata: { name },
      spec: {
        type: "s3",
        failureDomain: endpoint === "" ? `aws-${region}` : hostOf(endpoint),
        ...(endpoint === "" ? {} : { endpoint }),
        region,
        bucket,
        ...(endpoint === "" && address.forcePathStyle !== true ? {} : { forcePathStyle: true }),
        credentials: Object.fromEntries(rights.map((right) => [right, variables(right)])),
      },
    };
    this.#stores.set(key, { name, document });
    return {
      name,
      findings: [
        `store '${name}': say where it is (failureDomain), and give the runs ${variableFor(name, "WRITE_KEY_ID")} and the others its document names; writing, reading and deleting are three identities`,
      ],
    };
  }

  /** A row that keeps everything that many days. */
  row(days: number): string {
    const isSame = (keep: KeepTable): boolean => Object.keys(keep).length === 1 && keep.days === days;
    const known = this.#known.retention.find((row) => isSame(row.keep))?.name ?? this.#rows.get(days);
    if (known !== undefined) return known;
    const name = this.#rowNames.take(`adopted-${days}d`);
    this.#rows.set(days, name);
    return name;
  }

  checklist(): string {
    this.#isChecklistNew = !this.#known.checklists.some((c) => c.name === checklistName);
    return checklistName;
  }

  /** Every document that something refers to and nobody has, by the name of its file. */
  documents(): ReadonlyMap<string, readonly object[]> {
    const files = new Map<string, readonly object[]>();
    const stores = [...this.#stores.values()].map((s) => s.document);
    if (stores.length > 0) files.set("adopted-stores", stores);
    if (this.#rows.size > 0) {
      const rows = [...this.#rows].map(([days, name]) => ({ name, keep: { days } }));
      const metadata = { name: this.#tableNames.take("adopted") };
      files.set("adopted-retention", [{ apiVersion, kind: "RetentionTable", metadata, rows }]);
    }
    if (this.#isChecklistNew) files.set("adopted-checklist", [checklistDocument]);
    const ring = this.keys.document(this.#tableNames.take("adopted-keys"));
    if (ring !== undefined) files.set("adopted-keys", [ring]);
    return files;
  }
}

const checklistName = "adopted";
const checklistDocument = {
  apiVersion,
  kind: "VerificationChecklist",
  metadata: { name: checklistName },
  checks: [
    { name: "Backup exists", level: 0, every: "1d" },
    { name: "Backup size reasonable", level: 1, every: "1d" },
    { name: "Checksum valid", level: 2, every: "7d" },
    { name: "Checksum valid to the vendor's checker", level: 3, every: "7d" },
    { name: "Restore to test env", level: 4, every: "7d" },
  ],
};
