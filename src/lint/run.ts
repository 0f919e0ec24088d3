/**
 * One lint run: faults of reading, complaints of rules and the state of waivers, as one sorted list. Pure:
 * files and the present come as arguments. Places are looked up only for what is really complained about.
 */
import type { Finding } from "../finding.ts";
import type { PolicyFile, Waiver } from "../policy/model.ts";
import { type PolicyReading, readPolicySet } from "../policy/read.ts";
import { listDocument } from "./list-document.ts";
import type { Complaint, Rule } from "./rule.ts";
import { rules as allRules } from "./rules.ts";
import { plainSecrets, secretRules } from "./secrets-in-text.ts";
import { judgeWaivers, waiverFor } from "./waivers.ts";

export interface LintOptions {
  /** The present; decides which waivers have run out and which clock changes are ahead. */
  readonly nowMs: number;
  /** Other rules than the built-in ones. */
  readonly rules?: readonly Rule[];
  /** Ids of the rules to run; reading faults are always reported. */
  readonly only?: readonly string[];
}

/** A finding somebody has accepted, and his words. */
export interface WaivedFinding {
  readonly finding: Finding;
  readonly waiver: Waiver;
}

export interface LintResult {
  readonly reading: PolicyReading;
  /** Sorted by file, line, column and rule. */
  readonly findings: readonly Finding[];
  readonly waived: readonly WaivedFinding[];
}

/** Reads the files, runs every rule on what is sound, and sets accepted findings apart. Never throws for content. */
export function lint(
  files: readonly PolicyFile[],
  schemas: Parameters<typeof readPolicySet>[1],
  options: LintOptions,
): LintResult {
  const reading = readPolicySet(files, schemas);
  const chosen = new Set(options.only);
  const isChosen = (id: string): boolean => options.only === undefined || chosen.has(id);
  // A document with a fault takes no part, so what it used would look unused.
  const isWhole = reading.findings.every((finding) => finding.severity !== "error");
  const rules = (options.rules ?? allRules).filter(
    (rule) => isChosen(rule.id) && (isWhole || !/[-/]unused$/.test(rule.id)),
  );
  const findings: Finding[] = [...reading.findings];
  const waived: WaivedFinding[] = [];
  const used = new Set<Waiver>();

  // File by file, because the reading keeps the places of only a few files at a time.
  const fileOf = new Map(reading.entries.map((entry) => [`${entry.kind}/${entry.name}`, entry.file]));
  const pending = rules
    .flatMap((rule) =>
      [...rule.check({ set: reading.set, nowMs: options.nowMs })].map((complaint) => {
        const target = listDocument(complaint, reading.entries);
        const file = fileOf.get(`${target.document.kind}/${target.document.name}`) ?? "";
        return { rule, complaint, target, file };
      }),
    )
    .sort((a, b) => order(a.file, b.file));
  for (const { rule, complaint, target } of pending) {
    const finding = place(rule, complaint, target, reading);
    const waiver = waiverFor(finding, target.document.name, reading.set.waivers, options.nowMs);
    if (waiver === undefined) findings.push(finding);
    else {
      used.add(waiver);
      waived.push({ finding, waiver });
    }
  }
  if (secretRules.some((rule) => isChosen(rule.id))) {
    for (const [file, text] of reading.texts) {
      for (const finding of plainSecrets(file, text)) if (isChosen(finding.rule)) findings.push(finding);
    }
  }
  const known = new Set([...(options.rules ?? allRules), ...secretRules].map((rule) => rule.id));
  const ran = new Set(rules.map((rule) => rule.id));
  for (const finding of judgeWaivers(reading.set.waivers, { used, known, ran, nowMs: options.nowMs })) {
    if (isChosen(finding.rule)) findings.push(finding);
  }
  return {
    reading,
    findings: findings.sort(byPlace),
    waived: waived.sort((a, b) => byPlace(a.finding, b.finding)),
  };
}

/** From a path in a document to lines and columns. */
function place(
  rule: Rule,
  complaint: Complaint,
  target: ReturnType<typeof listDocument>,
  reading: PolicyReading,
): Finding {
  const location = reading.locate(target.document, target.path, complaint.atKey);
  const { message, hint, replacement } = complaint;
  const fix = replacement === undefined ? {} : { fix: { location, text: replacement } };
  return { rule: rule.id, severity: rule.severity, location, message, hint, ...fix };
}

function byPlace(a: Finding, b: Finding): number {
  return (
    order(a.location.file, b.location.file) ||
    a.location.line - b.location.line ||
    a.location.column - b.location.column ||
    order(a.rule, b.rule)
  );
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
