/**
 * The chain of reports: each JSON names the SHA-256 of its own files and of the JSON of the report before it, so
 * a byte changed afterwards shows without asking anybody. The newest JSON is vouched for by its commit alone.
 */
import { createHash } from "node:crypto";

/** Text of a file below the reports folder; undefined when it is not there. */
export type ReadReportFile = (path: string) => Promise<string | undefined>;

interface Linked {
  readonly previous?: { readonly name: string; readonly sha256: string } | null;
  readonly files?: Readonly<Record<string, string>>;
}

export interface ChainResult {
  /** Reports whose every file was compared. */
  readonly checked: number;
  /** Reports from before there was a chain; nothing can be said of them. */
  readonly unlinked: number;
  /** The first report that was changed, and how that shows. */
  readonly fault?: { readonly name: string; readonly detail: string };
}

export function sha256Of(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** The JSON of report `name` with the hashes of its other files and of the report before it. */
export async function linkReport(
  name: string,
  files: ReadonlyMap<string, string>,
  existing: readonly string[],
  read: ReadReportFile,
): Promise<string> {
  const before = existing
    .filter((other) => other < name)
    .sort()
    .at(-1);
  const text = before === undefined ? undefined : await read(`${before}.json`);
  const own = [...files].filter(([path]) => path !== `${name}.json` && path.startsWith(name));
  const linked: Linked = {
    ...(JSON.parse(files.get(`${name}.json`) ?? "{}") as object),
    previous: before === undefined || text === undefined ? null : { name: before, sha256: sha256Of(text) },
    files: Object.fromEntries(own.map(([path, t]) => [path, sha256Of(t)]).sort()),
  };
  return `${JSON.stringify(linked, null, 2)}\n`;
}

/** Walks from the oldest report to the newest and stops at the first that was changed. Reads only. */
export async function verifyChain(names: readonly string[], read: ReadReportFile): Promise<ChainResult> {
  let checked = 0;
  let unlinked = 0;
  let before: { readonly name: string; readonly text: string } | undefined;
  const sorted = [...names].sort();
  for (const [index, name] of sorted.entries()) {
    const text = await read(`${name}.json`);
    const report = text === undefined ? undefined : parsed(text);
    const fail = (of: string, detail: string) => ({ checked, unlinked, fault: { name: of, detail } });
    if (text === undefined || report === undefined)
      return fail(name, "its JSON is missing or cannot be read");
    if (report.files === undefined) {
      // Once there is a chain nobody can leave it by taking the hashes out.
      if (checked > 0) return fail(name, "it names no hashes, though reports before it do");
      unlinked += 1;
    } else {
      if (before !== undefined && report.previous?.sha256 !== sha256Of(before.text)) {
        // The one after it tells whether this one may be believed about the one before.
        const next = sorted[index + 1];
        const later = next === undefined ? undefined : parsed((await read(`${next}.json`)) ?? "");
        if (later?.previous != null && later.previous.sha256 !== sha256Of(text))
          return fail(name, `it is not the one that ${next} was written after`);
        return report.previous?.name === before.name
          ? fail(before.name, `it is not the one that ${name} was written after`)
          : fail(name, `it names ${report.previous?.name ?? "no report"} before it, and not ${before.name}`);
      }
      if (before === undefined && report.previous)
        return fail(report.previous.name, `${name} was written after it, and it is gone`);
      for (const [path, sha256] of Object.entries(report.files)) {
        const found = await read(path);
        if (found === undefined || sha256Of(found) !== sha256)
          return fail(name, `its file ${path} ${found === undefined ? "is gone" : "differs"}`);
      }
      checked += 1;
    }
    before = { name, text };
  }
  return { checked, unlinked };
}

function parsed(text: string): Linked | undefined {
  try {
    return JSON.parse(text) as Linked;
  } catch {
    return undefined;
  }
}
