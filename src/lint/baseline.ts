/**
 * Findings that were there when lint came to an old repository: known by fingerprint, so that what is new is seen
 * among them. A fault that keeps a document from being read and a secret in the clear are never taken for known.
 */
import type { Finding } from "../finding.ts";
import { fingerprintsOf } from "./fingerprints.ts";

export interface Baseline {
  readonly apiVersion: "holdfast.dev/v1";
  readonly kind: "LintBaseline";
  /** Sorted, so that two people who write it change the same lines. */
  readonly findings: readonly {
    readonly rule: string;
    readonly file: string;
    readonly fingerprint: string;
  }[];
}

export interface Compared {
  /** In their order. */
  readonly fresh: readonly Finding[];
  readonly known: number;
  /** Entries of the baseline that nothing matches any more. */
  readonly gone: number;
}

function mayBeKnown({ rule }: Finding): boolean {
  return !/^(?:yaml|schema|reference|secret|waiver)\//.test(rule);
}

export function baselineOf(findings: readonly Finding[]): Baseline {
  const prints = fingerprintsOf(findings);
  const entries = findings.flatMap((finding, i) =>
    mayBeKnown(finding)
      ? [{ rule: finding.rule, file: finding.location.file, fingerprint: prints[i] ?? "" }]
      : [],
  );
  const key = (e: (typeof entries)[number]) => `${e.file} ${e.rule} ${e.fingerprint}`;
  return {
    apiVersion: "holdfast.dev/v1",
    kind: "LintBaseline",
    findings: entries.sort((a, b) => (key(a) < key(b) ? -1 : 1)),
  };
}

/** Undefined where the value is none. */
export function parseBaseline(value: unknown): Baseline | undefined {
  const file = value as Partial<Baseline> | null;
  if (file?.apiVersion !== "holdfast.dev/v1" || file.kind !== "LintBaseline") return undefined;
  if (!Array.isArray(file.findings)) return undefined;
  const isEntry = (e: unknown): boolean =>
    typeof (e as { fingerprint?: unknown } | null)?.fingerprint === "string";
  return file.findings.every(isEntry) ? (file as Baseline) : undefined;
}

export function compareWith(baseline: Baseline, findings: readonly Finding[]): Compared {
  const left = new Set(baseline.findings.map((e) => e.fingerprint));
  const size = left.size;
  const prints = fingerprintsOf(findings);
  const fresh = findings.filter((finding, i) => !(mayBeKnown(finding) && left.delete(prints[i] ?? "")));
  return { fresh, known: size - left.size, gone: left.size };
}
