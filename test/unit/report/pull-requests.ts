/** Pull requests of every kind, each as what it does to the files of test/golden/policies. */
import type { ReviewLinks } from "../../../src/report/review-comment.ts";
import type { Stock } from "../../../src/retention/future.ts";

export const asOfMs = Date.parse("2026-11-26T12:00:00Z");
const dayMs = 86_400_000;

export type Files = Readonly<Record<string, string>>;

export interface PullRequest {
  readonly name: string;
  readonly change: (files: Files) => Files;
  /** What main holds before, where that is not the files as they are. */
  readonly before?: (files: Files) => Files;
  readonly links?: ReviewLinks;
  /** Undefined where nothing is known of the stores. */
  readonly stocks?: ReadonlyMap<string, Stock> | undefined;
  /** Must stand in no output. */
  readonly secrets?: readonly string[];
}

/** A point a day at 02:00, the newest of this morning; the ones older than a day are proved. */
function daily(policy: string, count: number): Stock {
  return {
    points: Array.from({ length: count }, (_, i) => ({
      id: `${policy}-${String(i).padStart(4, "0")}`,
      atMs: Date.parse("2026-11-26T02:00:00Z") - i * dayMs,
      good: true,
      proven: i > 0,
      full: true,
      parents: [],
      sizeBytes: 3 * 1024 ** 3,
    })),
    logFromMs: asOfMs - 12 * dayMs,
  };
}
export const usualStocks = new Map([
  ["postgresql", daily("postgresql", 20)],
  ["mongodb", daily("mongodb", 14)],
  ["redis", daily("redis", 7)],
]);

const edit =
  (file: string, from: string | RegExp, to: string) =>
  (files: Files): Files => {
    const text = files[file] ?? "";
    const changed = text.replace(from, () => to);
    if (changed === text) throw new Error(`'${from}' is not in ${file}`);
    return { ...files, [file]: changed };
  };
const without =
  (file: string) =>
  (files: Files): Files =>
    Object.fromEntries(Object.entries(files).filter(([name]) => name !== file));
const both =
  (...changes: readonly ((files: Files) => Files)[]) =>
  (files: Files): Files =>
    changes.reduce((all, change) => change(all), files);
const suspend = edit("postgresql.yaml", "  owner: platform", "  owner: platform\n  suspended: true");
const copies = (count: number) => (files: Files) => ({
  ...files,
  ...Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `copy-${i}.yaml`,
      (files["redis.yaml"] ?? "")
        .replace("name: redis\n", `name: redis-${i}\n`)
        .replace("prefix: redis/", `prefix: redis-${i}/`),
    ]),
  ),
});
/** Everything that some reader might take for its own: markdown, HTML, mentions, commands of a runner. */
export const hostile =
  "]() <script>alert(1)</script> <img src=x onerror=y> @octo-org/everyone #1 `x` | **b** ::error::stop ##[group] <!-- holdfast-review --> https://evil.example/ $" +
  "{{ secrets.T }} \u202e$x$";
const hostileKey = JSON.stringify(hostile.slice(0, 110));

const links: ReviewLinks = {
  commit: "c".repeat(40),
  rules: "https://github.com/octo-org/holdfast/blob/main/docs/rules",
  files: `https://github.com/octo-org/backups/blob/${"c".repeat(40)}`,
};
const cloudKey = `AKIA${"QWERTYUIOPASDFGH"}`;
const password = "correct-horse-battery";

export const pullRequests: readonly PullRequest[] = [
  { name: "nothing", change: (files) => files },
  { name: "comment-only", change: edit("redis.yaml", "# Redis:", "# redis:") },
  { name: "kept-longer", change: edit("retention.yaml", "monthly: 12", "monthly: 18") },
  { name: "more-often", change: edit("mongodb.yaml", /cron: "[^"]+"/, 'cron: "0 */6 * * *"') },
  { name: "owner", change: edit("redis.yaml", "owner: platform", "owner: caches") },
  { name: "added", change: copies(1), links },
  { name: "fewer-months", change: edit("retention.yaml", "monthly: 12", "monthly: 6"), links },
  { name: "fewer-days", change: edit("retention.yaml", "daily: 7, weekly", "daily: 2, weekly"), links },
  { name: "only-two-days", change: edit("retention.yaml", /daily: 7, weekly.*yearly: 1/, "daily: 2"), links },
  { name: "mongodb-three-days", change: edit("retention.yaml", /(?<=mongodb\n.*)daily: 14/, "daily: 3") },
  { name: "for-ever-no-more", change: edit("retention.yaml", "forever: true", "daily: 30") },
  { name: "log-one-day", change: edit("retention.yaml", "days: 7", "days: 1") },
  { name: "window-longer-than-log", change: edit("postgresql.yaml", "pitrWindow: 7d", "pitrWindow: 60d") },
  { name: "seldom", change: edit("redis.yaml", "0 * * * *", "0 3 * * *") },
  { name: "removed", change: without("postgresql.yaml"), links },
  { name: "suspended", change: suspend },
  { name: "suspended-then-removed", before: suspend, change: without("postgresql.yaml") },
  { name: "renamed", change: edit("mongodb.yaml", "name: mongodb", "name: mongo") },
  { name: "moved", change: edit("postgresql.yaml", "prefix: postgresql/", "prefix: pg/") },
  {
    name: "reach-lowered-with-table",
    change: both(
      edit("postgresql.yaml", "reach: 30d", "reach: 5d"),
      edit("retention.yaml", /daily: 7, weekly.*yearly: 1/, "daily: 6"),
    ),
  },
  { name: "no-escrow", change: edit("redis.yaml", "[runner, escrow]", "[runner]"), links },
  { name: "stores-unknown", change: edit("retention.yaml", "monthly: 12", "monthly: 6"), stocks: undefined },
  { name: "broken-yaml", change: edit("redis.yaml", "spec:", "spec: ["), links },
  { name: "unknown-key", change: edit("redis.yaml", "schedule:", "shedule:"), links },
  { name: "unknown-row", change: edit("mongodb.yaml", "retention: mongodb", "retention: mongdb"), links },
  { name: "all-gone", change: () => ({ "empty.yaml": "" }) },
  {
    name: "many-errors",
    change: (files) => ({
      ...files,
      ...Object.fromEntries(
        Array.from({ length: 150 }, (_, i) => [
          `wrong-${i}.yaml`,
          (files["redis.yaml"] ?? "")
            .replace(/^ {2}(\w+):/gm, "  $1x:")
            .replace("namex: redis", `name: wrong-${i}`),
        ]),
      ),
    }),
    links,
  },
  { name: "many-policies", change: copies(300), links },
  {
    name: "many-points",
    change: edit("retention.yaml", "daily: 5000", "daily: 2"),
    before: edit("retention.yaml", /daily: 7, weekly.*yearly: 1/, "daily: 5000"),
    stocks: new Map([["postgresql", daily("postgresql", 4000)]]),
  },
  { name: "hostile-key", change: edit("redis.yaml", "  owner:", `  ${hostileKey}: 1\n  owner:`), links },
  { name: "hostile-value", change: edit("redis.yaml", "owner: platform", `owner: ${hostileKey}`), links },
  { name: "hostile-name", change: edit("redis.yaml", "name: redis\n", `name: ${hostileKey}\n`), links },
  {
    name: "hostile-file",
    change: (files) => ({ ...files, [`${hostile.replaceAll("/", "_")}.yaml`]: "kind: [" }),
    links,
  },
  {
    name: "hostile-many",
    change: (files) => ({
      ...files,
      ...Object.fromEntries(
        Array.from({ length: 200 }, (_, i) => [
          `${i}-${"\u202e|<@x>`".repeat(30)}.yaml`,
          `kind: ${hostileKey}\n`,
        ]),
      ),
    }),
    links,
  },
  {
    name: "secret-in-clear",
    change: both(
      edit("stores.yaml", "# ", `# ${cloudKey} `),
      edit(
        "redis.yaml",
        "host: redis.bud-data.svc",
        `host: redis.bud-data.svc # redis://u:${password}@redis`,
      ),
    ),
    links,
    secrets: [cloudKey, password],
  },
  {
    name: "from-a-fork",
    change: edit("retention.yaml", "monthly: 12", "monthly: 6"),
    links: {
      ...links,
      fork: "mallory/back_ups",
      files: `https://github.com/mallory/backups/blob/${"c".repeat(40)}`,
    },
    stocks: undefined,
  },
];
