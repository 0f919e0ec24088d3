/** Nothing is planned or applied from policies that do not lint. */
import { HoldfastError } from "../errors.ts";
import { count } from "../report/units.ts";
import { complain, frameColumns, paintFor } from "./console.ts";
import type { SharedOptions } from "./options.ts";
import { readBundle, readPolicyPaths, readSchemas } from "./policy-files.ts";

/** @throws policy-invalid after showing the findings on stderr */
export async function requireLintClean(options: Pick<SharedOptions, "policies" | "bundle">): Promise<void> {
  const { lint } = await import("../lint/run.ts");
  const files =
    options.bundle === undefined
      ? await readPolicyPaths([options.policies])
      : (await readBundle(options.bundle)).files;
  const result = lint(files, await readSchemas(), { nowMs: Date.now() });
  const errors = result.findings.filter((f) => f.severity === "error");
  if (errors.length === 0) return;
  const { renderLint } = await import("../report/lint.ts");
  complain(
    renderLint(
      "text",
      { ...result, findings: errors },
      { paint: paintFor(process.stderr), columns: frameColumns(), filesCount: files.length },
    ),
  );
  throw new HoldfastError(
    "policy-invalid",
    `${count(errors.length, "error")} in the policies; nothing was done`,
    {
      ...(options.bundle === undefined ? { hint: `holdfast lint ${options.policies}` } : {}),
    },
  );
}
