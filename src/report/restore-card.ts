/** The card for the worst day: how each component comes back with the vendor's own programs and no Holdfast. */
import { escapeMarkdown } from "./escape.ts";
import { type HandScriptInput, handScript } from "./hand-script.ts";
import { formatBytes } from "./units.ts";

export interface RestoreCardEntry extends HandScriptInput {
  readonly policy: string;
  readonly title: string;
  /** In words: what has proved the point, or that nothing has. */
  readonly proof: string;
}

export interface RestoreCardInput {
  readonly cluster: string;
  readonly at: string;
  /** In the order of a full-stack restore. */
  readonly entries: readonly RestoreCardEntry[];
  /** Policies without a point to restore from, each with the cause. */
  readonly missing: readonly { readonly policy: string; readonly cause: string }[];
}

/** `RESTORE.md`, whole. Each block runs under `sh -e`; a test runs them. */
export function renderRestoreCard(input: RestoreCardInput): string {
  const parts = [
    `# Restore without Holdfast: ${escapeMarkdown(input.cluster)}`,
    `Written ${input.at}. With Holdfast at hand use \`holdfast restore POLICY --at TIME --to DIR\` instead: it follows the log to an instant and checks more.`,
    "You need: Python 3.9 with `cryptography`, `zstd`, [restore-without-holdfast.py](restore-without-holdfast.py) beside this card, a private key of a recipient, read access to the bucket, and the component's own programs. Save a block as a file and run it with `sh -e`; `DIR`, `KEY`, `BUCKET` and `DECRYPTOR` in the environment replace its defaults. Order matters: restore from the top down.",
  ];
  for (const { policy, cause } of input.missing) {
    parts.push(`> **${escapeMarkdown(policy)} has nothing to restore from:** ${escapeMarkdown(cause)}`);
  }
  for (const entry of input.entries) parts.push(...section(entry));
  return `${parts.join("\n\n")}\n`;
}

function section(entry: RestoreCardEntry): readonly string[] {
  const [newest] = entry.chain;
  if (newest === undefined) return [];
  const needs = newest.restoreNeeds;
  const memory = needs.memoryBytes > 0 ? ` and ${formatBytes(needs.memoryBytes)} of memory` : "";
  const parents =
    entry.chain.length > 1
      ? `, on ${entry.chain
          .slice(1)
          .map((m) => m.id)
          .join(" and ")}`
      : "";
  return [
    `## ${escapeMarkdown(entry.policy)} (${entry.title})`,
    `Point \`${newest.id}\`, the state of ${newest.consistentAt}${parents}. ${escapeMarkdown(entry.proof)} It needs ${formatBytes(needs.diskBytes)} of disk${memory}. Made from version ${escapeMarkdown(newest.server.version)}; opens with ${newest.encryption.recipients.map((r) => escapeMarkdown(r)).join(" or ") || "no key"}.`,
    ...entry.recipe.notes.map((note) => `- ${escapeMarkdown(note, 1000)}`),
    ["```sh", handScript(entry), "```"].join("\n"),
  ];
}
