import { type Diagnosis, diagnose } from "../../operate/doctor.ts";
import { type Paint, paintFor, print, printJson } from "../console.ts";
import { requireLintClean } from "../lint-gate.ts";
import { inWorld, type SharedOptions, verbCommand, withWorldOptions } from "../options.ts";

export function doctorCommand() {
  return withWorldOptions(
    verbCommand("doctor", "what is wrong with this set-up, and what to do about it"),
  ).action(async (options: SharedOptions) => {
    await requireLintClean(options);
    await inWorld(options, async (world) => {
      const found = await diagnose(world);
      const faults = found.filter((d) => !d.ok);
      if (faults.length > 0) process.exitCode = 4;
      if (options.format === "json") return printJson({ ok: faults.length === 0, checks: found });
      print(renderDiagnoses(found, paintFor(process.stdout)));
    });
  });
}

/** Policy by policy; the verdict last, and before it every command that mends something, once. */
function renderDiagnoses(found: readonly Diagnosis[], paint: Paint): string {
  const lines: string[] = [];
  let policy = "";
  for (const d of found) {
    if (d.policy !== policy) lines.push(paint.bold(d.policy));
    policy = d.policy;
    const word = d.ok ? paint.good("ok  ") : paint.bad("FAIL");
    lines.push(`  ${word} ${d.name}  ${paint.dim(d.detail)}`);
    if (d.next !== "") lines.push(`       ${d.next}`);
  }
  const faults = found.filter((d) => !d.ok).length;
  const verdict = faults === 1 ? "1 thing needs somebody" : `${faults} things need somebody`;
  lines.push(faults === 0 ? paint.good("nothing is wrong") : paint.bad(verdict));
  return lines.join("\n");
}
