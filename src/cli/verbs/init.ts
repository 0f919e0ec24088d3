import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HoldfastError } from "../../errors.ts";
import { print, printJson } from "../console.ts";
import { verbCommand } from "../options.ts";
import { type Origin, ownOrigin, parseOrigin, unknownOrigin } from "../own-origin.ts";
import { policyWorkflows } from "../policy-workflows.ts";

const own = fileURLToPath(new URL("../../../", import.meta.url));

interface InitOptions {
  readonly format: string;
  readonly holdfast?: Origin;
}

/** The starter repository: the whole strategy as commented policies, their schemas, and a workflow. */
export function initCommand() {
  return verbCommand("init", "write a starter policy repository")
    .argument("[dir]", "a new or empty folder", ".")
    .option(
      "--holdfast <origin>",
      "OWNER/NAME@COMMIT the workflow takes Holdfast from; this checkout's own",
      parseOrigin,
    )
    .action(async (directory: string, options: InitOptions) => {
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
      const workflows = join(directory, ".github/workflows");
      await mkdir(workflows, { recursive: true });
      const origin = options.holdfast ?? (await ownOrigin()) ?? unknownOrigin;
      for (const [name, text] of Object.entries(policyWorkflows(origin)))
        await writeFile(join(workflows, name), text);
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
          ...(origin === unknownOrigin
            ? [
                "     .github/workflows: put in the repository and the commit of your Holdfast; until then they fail",
              ]
            : []),
          "  4. git init, commit, push; then holdfast run on the machine that shall do the work",
          "  5. with the first points: holdfast verify POLICY --level 3 --identity escrow.key, and that key into the safe",
        ].join("\n"),
      );
    });
}
