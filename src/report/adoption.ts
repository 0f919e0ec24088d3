/** What an adoption has written and what it has not, for people and for programs. */
import type { AdoptedPolicy, Adoption } from "../adopt/adoption.ts";
import { oneLine } from "./escape.ts";
import type { Paint } from "./text-table.ts";

const longestList = 20;
const words: Readonly<Record<AdoptedPolicy["kind"], string>> = {
  recovered: "recovered",
  held: "kept as it runs",
  proposed: "proposed, new",
};

export interface AdoptionTextOptions {
  readonly to: string;
  /** Commands, in their order. */
  readonly next: readonly string[];
  readonly paint: Paint;
}

export function renderAdoption(adoption: Adoption, { to, next, paint }: AdoptionTextOptions): string {
  const { files, policies, notAdopted } = adoption;
  const lines = [
    files.length === 0
      ? "nothing was written: there is nothing to adopt, or nothing of it can be a policy"
      : `${paint.good("written")} ${files.length} files to '${to}': ${shortList(files.map((f) => f.path))}`,
    ...policies.filter((p) => p.kind !== "recovered").flatMap((p) => policyLines(p, paint)),
    ...ownLines(adoption, paint),
  ];
  if (notAdopted.length > 0) lines.push("", paint.bold("seen, not adopted"));
  for (const { what, reason } of notAdopted) lines.push(`  ${paint.warn(oneLine(what))}: ${oneLine(reason)}`);
  return [...lines, ...lintLines(adoption, paint), ...nextLines(next, paint)].join("\n");
}

function policyLines(policy: AdoptedPolicy, paint: Paint): readonly string[] {
  const { findings, stillRuns } = policy;
  return [
    "",
    `${paint.bold(policy.policy)}  ${words[policy.kind]}, from ${oneLine(policy.from)}`,
    ...findings.map((finding) => `  - ${oneLine(finding)}`),
    ...(stillRuns === undefined
      ? []
      : [
          `  ${paint.warn("still runs")} ${oneLine(stillRuns.what)}; when the policy is proved: ${oneLine(stillRuns.suspend)}`,
        ]),
  ];
}

function ownLines({ own, policies }: Adoption, paint: Paint): readonly string[] {
  if (own === undefined) return [];
  const count = policies.filter((p) => p.kind === "recovered").length;
  const revision = own.revision === "" ? "" : `, as of revision ${own.revision.slice(0, 12)}`;
  const same =
    own.differing.length === 0
      ? `${paint.good("all")} ${own.count} jobs in namespace ${own.namespace} are as they say`
      : `${own.differing.length} differences to the ${own.count} jobs in namespace ${own.namespace}:`;
  return [
    "",
    `${count} policies of Holdfast's own recovered${revision}; ${same}`,
    ...own.differing.slice(0, longestList).map((line) => `  ${paint.warn(oneLine(line))}`),
  ];
}

function lintLines({ lint, files }: Adoption, paint: Paint): readonly string[] {
  if (files.length === 0) return [];
  const errors = lint.filter((f) => f.severity === "error");
  const told = [...errors, ...lint.filter((f) => f.severity === "warning")];
  const others = lint.length - told.length;
  return [
    "",
    `lint: ${errors.length} errors, ${told.length - errors.length} warnings, ${others} remarks${errors.length === 0 ? "" : "; a plan is refused until the errors are mended"}`,
    ...told
      .slice(0, longestList)
      .map(
        (f) =>
          `  ${(f.severity === "error" ? paint.bad : paint.warn)(f.rule)} ${oneLine(f.location.file)}:${f.location.line}: ${oneLine(f.message)}`,
      ),
    ...(told.length > longestList ? [`  and ${told.length - longestList} more`] : []),
  ];
}

function nextLines(next: readonly string[], paint: Paint): readonly string[] {
  return next.length === 0 ? [] : ["", ...next.map((command) => `${paint.dim("next:")} ${command}`)];
}

function shortList(paths: readonly string[]): string {
  const shown = paths.slice(0, longestList).map(oneLine).join(", ");
  return paths.length > longestList ? `${shown} and ${paths.length - longestList} more` : shown;
}

/** Everything the text says and all of its lists whole. */
export function adoptionJson(adoption: Adoption, to: string, next: readonly string[]): object {
  const { files, policies, notAdopted, own, lint } = adoption;
  return {
    apiVersion: "holdfast.dev/v1",
    kind: "Adoption",
    ok: lint.every((f) => f.severity !== "error"),
    to,
    files: files.map((f) => f.path),
    policies,
    notAdopted,
    ...(own === undefined ? {} : { own }),
    lint: lint.map(({ rule, severity, location, message, hint }) => ({
      ...{ rule, severity, file: location.file, line: location.line, message, hint },
    })),
    next,
  };
}
