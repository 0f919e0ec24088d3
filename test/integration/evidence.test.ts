/**
 * The commands of docs/evidence.md find the tests they speak of, as many as the page says. It asks vitest itself, so a
 * test that was added, renamed or taken away shows here until the page says so; HOLDFAST_UPDATE=1 writes the counts anew.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");

interface Row {
  readonly line: string;
  readonly claim: string;
  /** Commands of vitest, in order; rows with others alone have none. */
  readonly commands: readonly string[];
  /** How many tests the row says there are, for each command or not at all. */
  readonly counts: readonly number[];
}
interface Listed {
  readonly name: string;
  readonly file: string;
  readonly projectName: string;
}

function rowsOf(page: string): readonly Row[] {
  return page
    .split("\n")
    .filter((line) => /^\| (?!claim)/.test(line))
    .map((line) => [line, ...line.slice(2, -2).split(" | ")])
    .map(([line = "", claim = "", commands = "", ...seen]) => ({
      line,
      claim,
      commands: [...commands.matchAll(/`([^`]*… [^`]*)`/g)].map((m) => m[1] ?? ""),
      counts: [...seen.join(" ").matchAll(/\d+ of (\d+) tests?\b/g)].map((m) => Number(m[1])),
    }));
}

function filesOf(command: string): readonly string[] {
  return [...command.matchAll(/ (test\/[\w./-]+)/g)].map((m) => m[1] ?? "");
}

/** As vitest chooses: by project, by the beginning of a file's path, by the pattern of `-t`. */
function chosenBy(command: string, all: readonly Listed[]): readonly Listed[] {
  const project = / --project (\w+)/.exec(command)?.[1];
  const pattern = new RegExp(/ -t '([^']+)'/.exec(command)?.[1] ?? "");
  return all.filter(
    ({ name, file, projectName }) =>
      projectName === project &&
      filesOf(command).some((part) => file.startsWith(part)) &&
      pattern.test(name.replaceAll(" > ", " ")),
  );
}

/** Every test of the files, without running one. */
function listed(files: readonly string[]): readonly Listed[] {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-listed-"));
  const path = join(folder, "tests.json");
  // What this very run of vitest has put there is not the other one's.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^VITEST/.test(name)));
  try {
    const options = ["--config", "test/vitest.config.ts", "--no-static-parse", `--json=${path}`];
    execFileSync("vitest", ["list", ...options, ...files], { cwd: root, env, stdio: "pipe" });
    const tests = JSON.parse(readFileSync(path, "utf8")) as readonly Listed[];
    return tests.map((test) => ({ ...test, file: relative(root, test.file) }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The page with the counts there are. Where not all tests had run, what had run stays as it was. */
function recounted(page: string, rows: readonly Row[], all: readonly Listed[]): string {
  return rows.reduce((text, { line, commands }) => {
    const found = commands.map((command) => chosenBy(command, all).length);
    const counted = line.replace(/(\d+) of (\d+) tests?\b/g, (whole, ran: string, of: string) => {
      const now = found.shift();
      if (now === undefined) return whole;
      return `${ran === of ? now : ran} of ${now} test${now === 1 ? "" : "s"}`;
    });
    return text.replace(line, () => counted);
  }, page);
}

describe("docs/evidence.md", () => {
  const path = join(root, "docs/evidence.md");
  const rows = rowsOf(readFileSync(path, "utf8"));
  const all = listed([...new Set(rows.flatMap((row) => row.commands.flatMap(filesOf)))]);
  if (process.env["HOLDFAST_UPDATE"] === "1")
    writeFileSync(path, recounted(readFileSync(path, "utf8"), rows, all));
  afterAll(() => console.log(`${rows.length} rows, ${all.length} tests behind them`));

  it("has rows, and most of them have counts", () => {
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter((row) => row.counts.length > 0).length).toBeGreaterThan(30);
  });

  it.each(rows.filter((row) => row.commands.length > 0))(
    "finds the tests of: $claim",
    ({ commands, counts }) => {
      const found = commands.map((command) => chosenBy(command, all).length);
      expect(commands.filter((_, n) => found[n] === 0)).toEqual([]);
      for (const part of commands.flatMap(filesOf)) expect(all.map((t) => t.file).join("\n")).toContain(part);
      if (counts.length > 0) expect(counts).toEqual(found);
    },
  );
});
