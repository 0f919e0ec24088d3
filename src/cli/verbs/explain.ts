import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { HoldfastError } from "../../errors.ts";
import { nearest } from "../../policy/nearest.ts";
import { print } from "../console.ts";
import { verbCommand } from "../options.ts";

const docs = join(import.meta.dirname, "../../../docs");

/** Offline: the page of a rule, or the runbook of an alert, as it stands in the documentation. */
export function explainCommand() {
  return verbCommand("explain", "what a rule of lint or an alert means, and how to mend it", ["text"])
    .argument("<name>", "a rule's id, such as encryption/missing, or an alert, such as EscrowUnproven")
    .action(async (name: string) => {
      const rules = await pagesIn("rules");
      const rule = rules.get(name.replaceAll("/", "-"));
      const runbooks = rule === undefined ? await pagesIn("runbooks") : new Map<string, string>();
      // An alert comes by its own name, which is the title of its page.
      const page = rule ?? runbooks.get(name) ?? [...runbooks.values()].find((p) => titleOf(p) === name);
      if (page === undefined) {
        const close = nearest(name, [...rules.keys(), ...[...runbooks.values()].map(titleOf)]);
        throw new HoldfastError("usage", `no rule is called '${name}', and no alert`, {
          hint: close === undefined ? "holdfast lint names the rules it uses" : `holdfast explain ${close}`,
        });
      }
      print(page.trimEnd());
    });
}

/** Text by name, without the index. */
async function pagesIn(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(join(docs, folder))).filter((n) => n.endsWith(".md") && n !== "README.md");
  const texts = await Promise.all(names.map((name) => readFile(join(docs, folder, name), "utf8")));
  return new Map(names.map((name, i) => [name.slice(0, -".md".length), texts[i] ?? ""]));
}

function titleOf(page: string): string {
  return page.slice("# ".length, page.indexOf("\n"));
}
