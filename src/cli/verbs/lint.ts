import { appendFile } from "node:fs/promises";
import { Option } from "commander";
import type { Severity } from "../../finding.ts";
import type { PolicyFile } from "../../policy/model.ts";
import { redact } from "../../secret.ts";
import { frameColumns, paintFor, print } from "../console.ts";
import { fixFiles, unknownTo, writeBaseline } from "../lint-files.ts";
import { verbCommand } from "../options.ts";
import { readPolicyPaths, readSchemas } from "../policy-files.ts";

interface LintOptions {
  readonly format: "text" | "json" | "sarif" | "github" | "junit";
  readonly failOn: Severity;
  readonly baseline?: string;
  readonly writeBaseline?: string;
  readonly fix?: boolean;
}

const weight: Readonly<Record<Severity, number>> = { info: 0, warning: 1, error: 2 };

export function lintCommand() {
  return verbCommand("lint", "check policies: schema and rules, with line and column", [
    "text",
    "json",
    "sarif",
    "github",
    "junit",
  ])
    .argument("[paths...]", "files or folders", ["policies"])
    .addOption(
      new Option("--fail-on <severity>", "exit status 3 from this severity on")
        .choices(["info", "warning", "error"])
        .default("error"),
    )
    .option("--baseline <file>", "leave out the findings that --write-baseline has written there")
    .option("--write-baseline <file>", "write the findings of now, to be known from then on")
    .option("--fix", "make the edits that are certain, in the files, and nothing else in them")
    .action(async (paths: readonly string[], options: LintOptions) => {
      const { lint } = await import("../../lint/run.ts");
      const schemas = await readSchemas();
      const judge = (all: readonly PolicyFile[]) => lint(all, schemas, { nowMs: Date.now() });
      const read = await readPolicyPaths(paths);
      const files = options.fix === true ? await fixFiles(read, judge) : read;
      const whole = judge(files);
      if (options.writeBaseline !== undefined) await writeBaseline(options.writeBaseline, whole.findings);
      const result =
        options.baseline === undefined
          ? whole
          : { ...whole, findings: await unknownTo(options.baseline, whole.findings) };
      const { renderLint } = await import("../../report/lint.ts");
      print(
        renderLint(options.format, result, {
          paint: paintFor(process.stdout),
          columns: frameColumns(),
          filesCount: files.length,
        }),
      );
      const summary = process.env["GITHUB_STEP_SUMMARY"] ?? "";
      if (options.format === "github" && summary !== "") {
        const { lintSummary } = await import("../../report/lint-summary.ts");
        await appendFile(summary, redact(lintSummary(result, files.length)));
      }
      const worst = Math.max(-1, ...result.findings.map((f) => weight[f.severity]));
      if (worst >= weight[options.failOn]) process.exitCode = 3;
    });
}
