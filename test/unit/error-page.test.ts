/** docs/errors.md is made from the table of codes; HOLDFAST_UPDATE=1 writes it anew. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { verbExits } from "../../src/cli/exit-help.ts";
import { errorCodes, exitStatuses } from "../../src/errors.ts";

const path = join(import.meta.dirname, "../../docs/errors.md");

function page(): string {
  const statuses = Object.values(exitStatuses).map((e) => `| ${e.status} | ${e.meaning} | ${e.retry} |`);
  const codes = Object.entries(errorCodes).map(
    ([code, { exit, transient, hint }]) =>
      `| \`${code}\` | ${exitStatuses[exit].status} | ${transient ? "yes" : "no"} | ${hint} |`,
  );
  const verbs = Object.entries(verbExits).map(
    ([verb, names]) =>
      `| \`${verb}\` | ${[1, ...names.map((n) => exitStatuses[n].status)].sort((a, b) => a - b).join(", ")} |`,
  );
  return [
    "# Exit statuses and error codes",
    "",
    "Made from `src/errors.ts` by `test/unit/error-page.test.ts`.",
    "",
    "| status | meaning | does the same command again help? |",
    "|---:|---|---|",
    ...statuses,
    "",
    "| verb | can end with |",
    "|---|---|",
    ...verbs,
    "",
    "| code | status | passes by itself | what to do when the message says nothing better |",
    "|---|---:|---|---|",
    ...codes,
    "",
  ].join("\n");
}

it("is what the table says", () => {
  if (process.env["HOLDFAST_UPDATE"] === "1") writeFileSync(path, page());
  expect(readFileSync(path, "utf8")).toBe(page());
});
