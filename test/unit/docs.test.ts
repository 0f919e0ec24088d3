/**
 * What the documents name is there: files, headings, commands, options, rules and variables; and what they count is
 * counted here again.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { benches, benchmarksPage } from "../../bench/publish.ts";
import { program, verbNames } from "../../src/cli/program.ts";
import { callsIn, parseCommand } from "./command-line.ts";
import { queries } from "./report/dashboard-panels.ts";
import { pullRequests } from "./report/pull-requests.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const filesBelow = (folder: string, ending: RegExp): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => ending.test(name))
    .map((name) => `${folder}/${name}`)
    .sort();

const rulePages = filesBelow("docs/rules", /\.md$/).filter((page) => !page.endsWith("README.md"));
const pages = [
  ...["README.md", "CHANGELOG.md", ".github/CONTRIBUTING.md", "src/engine/postgresql/readme.md"],
  ...filesBelow("docs", /\.md$/).filter((page) => !rulePages.includes(page)),
];
/** Not prose, and yet they tell somebody what to type. */
const commented = [
  ...["action.yml", ...filesBelow("policies", /\.yaml$/), ...filesBelow("deploy", /\.(?:yaml|json)$/)],
  ...filesBelow(".github", /\.yml$/),
];
const rules = rulePages.map((page) => /^# (\S+)/.exec(read(page))?.[1] ?? "");
const ruleGroups = new Set(rules.map((id) => id.split("/")[0] ?? ""));
const code = [
  ...filesBelow("src", /\.(?:ts|mjs|py)$/),
  ...filesBelow("test", /\.ts$/),
  ...filesBelow(".ci", /./),
]
  .map(read)
  .join("\n");

const withoutBlocks = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, "");
const inline = (text: string): readonly string[] =>
  [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map((m) => m[1] ?? "");
const shellLines = (text: string): readonly string[] =>
  [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap((m) => (m[1] ?? "").split("\n"));

/** The name that GitHub gives a heading. */
function headings(text: string): readonly string[] {
  return [...withoutBlocks(text).matchAll(/^#+ (.*)$/gm)].map((m) =>
    (m[1] ?? "")
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-"),
  );
}

/** Links within the repository that lead nowhere. */
function lostLinks(page: string, text: string): readonly string[] {
  const links = [
    ...withoutBlocks(text)
      .replace(/`[^`\n]*`/g, "")
      .matchAll(/\]\(([^)\s]+)\)/g),
  ];
  return links
    .map((m) => m[1] ?? "")
    .filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [path = "", heading] = link.split("#");
      const target = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(root, target))) return true;
      return heading !== undefined && !headings(read(target)).includes(heading);
    });
}

/** Paths of this repository in backquotes that are not there. */
function lostPaths(text: string): readonly string[] {
  const top = /^(?:src|test|docs|deploy|bench|policies|schema|\.github|\.ci)\/[\w./-]+$/;
  return inline(text).filter((word) => top.test(word) && !existsSync(join(root, word)));
}

/** Commands that the command line does not take, with what it says. */
async function refusedCommands(text: string): Promise<readonly string[]> {
  const verb = new RegExp(`^(?:${verbNames.join("|")}) .*(?:--|[A-Z]{3})`);
  const shown = shellLines(text).flatMap((line) => callsIn(line));
  const mentioned = inline(text)
    .map((word) => word.replaceAll("…", "").trim())
    .flatMap((word) => callsIn(verb.test(word) ? `holdfast ${word}` : word));
  const refused: string[] = [];
  for (const call of [...shown, ...mentioned]) {
    if (/^holdfast(?: [A-Z]+)?$| VERB\b/.test(call)) continue;
    await parseCommand(call).catch((error: Error) => {
      // Prose names a verb without all that it needs; a block is for copying.
      const isWhole =
        shown.includes(call) || !/argument missing|missing required argument/.test(error.message);
      if (isWhole && !/outputHelp/.test(error.message)) refused.push(`${call}: ${error.message}`);
    });
  }
  return refused;
}

const commands = (await program([])).commands;

describe("the checks of documents", () => {
  it("notice what is not there", async () => {
    expect(lostLinks("docs/format.md", "[a](stores.md#s3) [b](none.md) [c](stores.md#none)")).toEqual([
      "none.md",
      "stores.md#none",
    ]);
    expect(lostPaths("`src/errors.ts` and `src/none.ts`")).toEqual(["src/none.ts"]);
    const text = [
      "`holdfast verify`, `holdfast mend POLICY`, `restore POLICY --on TIME`, `holdfast-drills`",
      "```sh",
      "KUBECONFIG=FILE npx holdfast plan --platform kubernetes | cat > FILE # holdfast none",
      'git commit --trailer "$(holdfast plan --base REV --format none)"',
      "holdfast backup",
      "```",
    ].join("\n");
    const refused = (await refusedCommands(text)).join("\n");
    expect(refused).toMatch(
      /^holdfast plan --base REV --format none: .*\n.*backup: .*missing.*\n.*mend.*\n.*--on/,
    );
  });
});

describe.each(pages)("%s", (page) => {
  const text = read(page);

  it("leads only to files and headings that are there", () => {
    expect(lostLinks(page, text)).toEqual([]);
    expect(lostPaths(text)).toEqual([]);
  });

  it("shows only commands that the command line takes", async () => {
    expect(await refusedCommands(text)).toEqual([]);
  });

  it("names only rules and variables that there are", () => {
    const named = inline(text).filter(
      (w) => /^[a-z]+\/[a-z-]+$/.test(w) && ruleGroups.has(w.split("/")[0] ?? ""),
    );
    expect(named.filter((id) => !rules.includes(id))).toEqual([]);
    const variables = [...text.matchAll(/\bHOLDFAST_[A-Z0-9_]+\b/g)].map((m) => m[0]);
    expect(variables.filter((name) => !new RegExp(`\\b${name}\\b`).test(code))).toEqual([]);
  });
});

describe("files that are no pages", () => {
  it("tell only commands that the command line takes", async () => {
    const refused = await Promise.all(commented.map(async (file) => refusedCommands(read(file))));
    expect(refused.flat()).toEqual([]);
  });
});

describe("pages of rules", () => {
  it("lead only to what is there, and show only commands that the command line takes", async () => {
    expect(rulePages.flatMap((page) => lostLinks(page, read(page)))).toEqual([]);
    const refused = await Promise.all(rulePages.map(async (page) => refusedCommands(read(page))));
    expect(refused.flat()).toEqual([]);
  });
});

describe("hints of the source", () => {
  it("name only verbs and options that there are", () => {
    const call = /(?<=["`(:;] ?|, (?:then |and )?|or |and )holdfast ([a-z]+)((?: [^"`,;:]*)?)/g;
    // What pg_basebackup is told to write into its label.
    const labels = ["holdfast base backup"];
    const said = filesBelow("src", /\.ts$/).flatMap((file) => [...read(file).matchAll(call)]);
    const wrong = said.filter(([whole, verb = "", rest = ""]) => {
      const known = commands.find((c) => c.name() === verb)?.options.map((o) => o.long ?? "");
      const given = rest.split(" holdfast ")[0]?.match(/(?<= )--[a-z-]+/g) ?? [];
      return !labels.includes(whole) && (known === undefined || given.some((o) => !known.includes(o)));
    });
    expect(said.length).toBeGreaterThan(100);
    expect(wrong.map(([whole]) => whole)).toEqual([]);
  });
});

describe("README", () => {
  const text = read("README.md");

  it("names every verb", () => {
    const shown = (verb: string) => new RegExp(`\`${verb}\`|(?:npx holdfast|npm run) ${verb}\\b`).test(text);
    expect(verbNames.filter((verb) => !shown(verb))).toEqual([]);
  });

  it("names only options that some verb has", () => {
    const known = ["--help", ...commands.flatMap((c) => c.options.map((o) => o.long ?? ""))];
    const named = inline(text).flatMap((word) => word.match(/^--[a-z-]+/) ?? []);
    expect(named.filter((option) => !known.includes(option))).toEqual([]);
  });
});

describe("every page", () => {
  it.each(pages)("%s has no mark of a merge that was not finished", (page) => {
    expect(read(page).match(/^(?:<{7} .*|={7}|>{7} .*)$/gm)).toBeNull();
  });
});

describe("decisions and libraries", () => {
  it("have every page in their index, and every package in the page of libraries", () => {
    const numbers = filesBelow("docs/decisions", /^\d{4}-.*\.md$/).map(
      (page) => page.split("/").at(-1) ?? "",
    );
    const rows = [...read("docs/decisions/README.md").matchAll(/^\| \[(\d{4})\]\((.*)\) \|/gm)];
    expect(rows.map((m) => m[2])).toEqual(numbers);
    expect(rows.map((m) => Number(m[1]))).toEqual(rows.map((_, n) => n + 1));
    for (const [, number = "", page = ""] of rows) {
      expect(page.startsWith(`${number}-`)).toBe(true);
      expect(read(`docs/decisions/${page}`)).toMatch(new RegExp(`^# ${number}\\b`));
    }
    const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };
    const libraries = read("docs/decisions/0009-libraries.md");
    const named = Object.keys(dependencies).filter((name) =>
      libraries.includes(name.replace("@aws-sdk/s3-request", "s3-request")),
    );
    expect(Object.keys(dependencies).filter((name) => !named.includes(name))).toEqual([]);
  });
});

describe("docs/pull-requests.md", () => {
  it("names every input of the action, and no other", () => {
    const { inputs } = parse(read("action.yml")) as { inputs: object };
    const table = /\| input \| \|\n([\s\S]*?)\n\n/.exec(read("docs/pull-requests.md"))?.[1] ?? "";
    const named = table.split("\n").flatMap((row) => inline(row.split("|")[1] ?? ""));
    expect(named.sort()).toEqual(Object.keys(inputs).sort());
  });
});

describe("counted", () => {
  const alerts = (
    parse(read("deploy/prometheus/holdfast-alerts.yaml")) as {
      groups: readonly [{ rules: readonly object[] }];
    }
  ).groups[0].rules.length;
  const corpus = Object.keys(JSON.parse(read("test/corpus/expected.json")) as object).length;
  const hostile = pullRequests.filter((p) => p.name.startsWith("hostile-")).length;
  const words = ["no", "one", "two", "three", "four", "five", "six", "seven"];

  it.each<readonly [page: string, count: number | string, text: RegExp]>([
    ["CHANGELOG.md", rulePages.length, /`holdfast lint`: (\d+) rules/g],
    ["docs/evidence.md", corpus, /(\d+) files of bad input|the (\d+) bad files/g],
    ["docs/evidence.md", pullRequests.length, /of (\d+) pull requests/g],
    ["docs/evidence.md", words[hostile] ?? "", /pull requests of every kind, (\w+) of them hostile/g],
    ["docs/evidence.md", alerts, /(\d+) runbooks|the (\d+) rules of `deploy\/prometheus`|(\d+) alert rules/g],
    ["docs/evidence.md", queries.length, /(\d+) queries/g],
  ])("%s says %s where it counts them", (page, count, text) => {
    const said = [...read(page).matchAll(text)].map((m) => m.slice(1).find((n) => n !== undefined));
    expect(said.length).toBeGreaterThan(0);
    expect(said.filter((n) => n !== String(count))).toEqual([]);
  });
});

describe("docs/benchmarks.md", () => {
  it("is made of bench/results, every figure of it", () => {
    expect(read("docs/benchmarks.md")).toBe(benchmarksPage());
  });

  it("is written by the command that evidence.md gives for all of it", () => {
    const asked = /`node bench\/publish\.ts ([^`]*)`/.exec(read("docs/evidence.md"))?.[1]?.split(" ");
    expect([...(asked ?? [])].sort()).toEqual(benches.map((b) => b.name).sort());
  });
});
