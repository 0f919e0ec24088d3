/** The formats of a lint result, by name. */
import { lintGithub } from "./lint-github.ts";
import { lintJson } from "./lint-json.ts";
import { lintJunit } from "./lint-junit.ts";
import { lintSarif } from "./lint-sarif.ts";
import { type LintTextOptions, lintText, type ShownLint } from "./lint-text.ts";

export type LintFormat = "text" | "json" | "sarif" | "github" | "junit";

/** The result as one text; only the text format looks at `options`. */
export function renderLint(format: LintFormat, result: ShownLint, options: LintTextOptions): string {
  const renderers: Readonly<Record<LintFormat, () => string>> = {
    text: () => lintText(result, options),
    json: () => lintJson(result),
    sarif: () => lintSarif(result),
    github: () => lintGithub(result),
    junit: () => lintJunit(result),
  };
  return renderers[format]();
}
