/** What lint reads and writes besides policies: baselines, and the files that it mends. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { HoldfastError } from "../errors.ts";
import type { Finding } from "../finding.ts";
import { baselineOf, compareWith, parseBaseline } from "../lint/baseline.ts";
import { mend } from "../lint/fix.ts";
import type { LintResult } from "../lint/run.ts";
import type { PolicyFile } from "../policy/model.ts";
import { complain } from "./console.ts";

export async function writeBaseline(path: string, findings: readonly Finding[]): Promise<void> {
  const baseline = baselineOf(findings);
  await writeWhole(path, `${JSON.stringify(baseline, null, 2)}\n`);
  complain(`${baseline.findings.length} of ${findings.length} findings written to '${path}'`);
}

/** Findings that are not in the baseline at `path`; how many are is told on stderr. @throws usage when it is none */
export async function unknownTo(path: string, findings: readonly Finding[]): Promise<readonly Finding[]> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new HoldfastError("usage", `'${path}' cannot be read as a baseline`, {
      hint: "write one with holdfast lint --write-baseline FILE",
      cause,
    });
  }
  const baseline = parseBaseline(value);
  if (baseline === undefined)
    throw new HoldfastError("usage", `'${path}' is no baseline`, {
      hint: "write one with holdfast lint --write-baseline FILE",
    });
  const { fresh, known, gone } = compareWith(baseline, findings);
  complain(
    `${known} findings are in the baseline${gone > 0 ? `; ${gone} of it are gone, write it anew` : ""}`,
  );
  return fresh;
}

/** Mends the files on disk where that leaves no new fault of reading, and gives all files as they are then. */
export async function fixFiles(
  files: readonly PolicyFile[],
  judge: (files: readonly PolicyFile[]) => LintResult,
): Promise<readonly PolicyFile[]> {
  // Rules see a document only once it can be read, so only what keeps it from being read is compared.
  const faults = ({ findings }: LintResult, path: string) =>
    findings
      .filter((f) => f.location.file === path && /^(?:yaml|schema)\//.test(f.rule))
      .map((f) => `${f.rule} ${f.message}`);
  let all = files;
  let before = judge(all);
  for (const file of files) {
    const fixes = before.findings.flatMap((f) =>
      f.fix !== undefined && f.location.file === file.path ? [f.fix] : [],
    );
    const text = before.reading.texts.get(file.path);
    if (fixes.length === 0 || text === undefined) continue;
    const mended = mend(text, fixes);
    // The text is read without a byte order mark; a file that had one keeps it.
    const mark = file.bytes[0] === 0xef && file.bytes[1] === 0xbb && file.bytes[2] === 0xbf ? "\ufeff" : "";
    const changed = { path: file.path, bytes: new TextEncoder().encode(mark + mended.text) };
    const next = all.map((f) => (f.path === file.path ? changed : f));
    const after = judge(next);
    const known = new Set(faults(before, file.path));
    const left = faults(after, file.path);
    if (left.length >= known.size || left.some((fault) => !known.has(fault))) {
      complain(`${file.path}: left as it is, the edits would not mend it`);
      continue;
    }
    await writeWhole(file.path, changed.bytes);
    complain(`${file.path}: ${mended.count} ${mended.count === 1 ? "edit" : "edits"}`);
    [all, before] = [next, after];
  }
  return all;
}

/** Whole or not at all, also when the machine stops. */
async function writeWhole(path: string, contents: string | Uint8Array): Promise<void> {
  const fresh = `${path}.holdfast-new`;
  try {
    await writeFile(fresh, contents);
    await rename(fresh, path);
  } catch (cause) {
    throw new HoldfastError("usage", `'${path}' cannot be written`, { cause });
  }
}
