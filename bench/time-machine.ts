/** Wall time of the time machine over 100,000 stored points and 400 days, for three keep tables; prints JSON. */
import { readPolicyPaths, readSchemas } from "../src/cli/policy-files.ts";
import { readPolicySet } from "../src/policy/read.ts";
import { type FuturePoint, foresee } from "../src/retention/future.ts";

const { set } = readPolicySet(await readPolicyPaths(["policies"]), await readSchemas());
const policy = set.policies.find((p) => p.log !== undefined);
if (policy === undefined) throw new Error("no policy with a log");
const fromMs = Date.parse("2026-11-22T00:00:00Z");
const points = Array.from({ length: 100_000 }, (_, n): FuturePoint => {
  const atMs = fromMs - (n + 1) * 600_000;
  return {
    id: `p${n}`,
    atMs,
    good: n % 97 !== 0,
    proven: n % 7 === 0,
    parents: [],
    sizeBytes: 1,
    full: true,
  };
});
const tables = {
  dense: { days: 400, monthly: 12 },
  counted: { hourly: 10_000, daily: 400, weekly: 60 },
  forever: { forever: true as const },
};
const seconds: Record<string, number> = {};
for (const [name, keep] of Object.entries(tables)) {
  const begun = performance.now();
  foresee({ policy: { ...policy, retention: { name, keep } }, points, fromMs, days: 400 });
  seconds[name] = Number(((performance.now() - begun) / 1000).toFixed(2));
}
console.log(JSON.stringify({ points: points.length, days: 400, seconds }));
