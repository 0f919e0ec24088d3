import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { HoldfastError } from "../../errors.ts";
import { nearest } from "../../policy/nearest.ts";
import { print } from "../console.ts";
import { verbCommand } from "../options.ts";

const pages = join(import.meta.dirname, "../../../docs/rules");

/** Offline: the page of a rule as it stands in the documentation. */
export function explainCommand() {
  return verbCommand("explain", "what a rule of lint means, why it matters, how to mend it", ["text"])
    .argument("<rule>", "a rule's id, such as encryption/missing")
    .action(async (rule: string) => {
      const known = (await readdir(pages))
        .filter((name) => name.endsWith(".md") && name !== "README.md")
        .map((name) => name.slice(0, -".md".length));
      const page = rule.replaceAll("/", "-");
      if (!known.includes(page)) {
        const close = nearest(page, known);
        throw new HoldfastError("usage", `no rule is called '${rule}'`, {
          hint: close === undefined ? "holdfast lint names the rules it uses" : `holdfast explain ${close}`,
        });
      }
      print((await readFile(join(pages, `${page}.md`), "utf8")).trimEnd());
    });
}
