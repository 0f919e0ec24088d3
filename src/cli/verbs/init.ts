import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { HoldfastError } from "../../errors.ts";
import { print, printJson } from "../console.ts";
import { verbCommand } from "../options.ts";

const own = fileURLToPath(new URL("../../../", import.meta.url));

const workflow = `# Checks every change to the policies before it is merged.
name: holdfast
on:
  pull_request:
    paths: [policies/**]
jobs:
  lint:
    runs-on: ubuntu-latest
    permissions: {contents: read}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with: {node-version: 24}
      - run: npx holdfast lint --format github policies
`;

/** The starter repository: the whole strategy as commented policies, their schemas, and a workflow. */
export function initCommand() {
  return verbCommand("init", "write a starter policy repository")
    .argument("[dir]", "a new or empty folder", ".")
    .action(async (directory: string, options: { readonly format: string }) => {
      await mkdir(directory, { recursive: true });
      const there = (await readdir(directory)).filter((name) => name !== ".git");
      if (there.length > 0) {
        throw new HoldfastError(
          "target-not-empty",
          `'${directory}' is not empty (${there.slice(0, 3).join(", ")})`,
          {
            hint: "name a new or empty folder; nothing was written",
          },
        );
      }
      await cp(join(own, "policies"), join(directory, "policies"), { recursive: true });
      await cp(join(own, "schema"), join(directory, "schema"), {
        recursive: true,
        filter: (name) => !name.includes(join("schema", "output")),
      });
      const path = join(directory, ".github/workflows/holdfast.yml");
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, workflow);
      await writeFile(join(directory, ".gitignore"), ".holdfast/\n*.key\n");
      const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((e) =>
        e.isFile(),
      ).length;
      if (options.format === "json") return printJson({ ok: true, directory, files });
      print(
        [
          `${files} files written to '${directory}'. The order that works:`,
          "  1. holdfast key new --out runner.key   and once more for escrow; put both recipients into policies/keys.yaml",
          "  2. policies/stores.yaml: your buckets; policies/<component>.yaml: your servers",
          "  3. holdfast lint && holdfast doctor",
          "  4. git init, commit, push; then holdfast run on the machine that shall do the work",
        ].join("\n"),
      );
    });
}
